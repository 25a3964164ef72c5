"""Images that grow while a network trains: which step sees them at which size, and which sizes a study may ask for.

Most of what a network learns first is coarse, and a step on small images costs less: its operations grow with the area. The
last steps, the validation, the test, features and exports run at the backbone's own image_size. Progressive resizing as in
Howard's DAWNBench entry (fast.ai, 2018) and EfficientNetV2 (Tan and Le, arXiv:2104.00298, section 4), without its changing
regularization.
"""

from ftbench.base.errors import InputError
from ftbench.study import grid, kinds


def size_of_step(recipe: dict, own: int, step: int, steps: int) -> int:
    """Side, in pixels, of the images of `step` (0-based) of `steps`: `own` unless the recipe has image_sizes.

    All sizes have the same number of steps. What is left over goes to the largest sizes, so that a run of fewer steps than
    sizes leaves out the smallest ones.
    """
    sizes = recipe.get("image_sizes")
    return sizes[-1 - (steps - 1 - step) * len(sizes) // steps] if sizes else own


def steps_at_sizes(recipe: dict, own: int, steps: int) -> dict[int, int]:
    """{side in pixels: number of steps at it} of a run of `steps` steps, in the order of training."""
    sizes = recipe.get("image_sizes") or [own]
    ends = [
        -(-place * steps // len(sizes)) for place in range(len(sizes) + 1)
    ]  # rounded up, counted from the last step
    counts = [after - before for before, after in zip(ends, ends[1:])]
    return {size: count for size, count in zip(sizes, reversed(counts)) if count}


def steps_between(recipe: dict, own: int, steps: range, total: int) -> dict[int, int]:
    """The same of a part of a run of `total` steps: {side in pixels: how many of `steps` are at it}."""
    found, first = {}, 0
    for size, count in steps_at_sizes(recipe, own, total).items():
        found[size] = max(0, min(first + count, steps.stop) - max(first, steps.start))
        first += count
    return found


def mean_area(recipe: dict, own: int, steps: range, total: int) -> float:
    """Mean area, in pixels, of the images of `steps` (not empty) of a run of `total` steps."""
    return sum(size**2 * count for size, count in steps_between(recipe, own, steps, total).items()) / len(steps)


def relative_area(recipe: dict) -> float:
    """Mean area of a long run's training images as a share of the own size's: about what its steps cost beside full ones."""
    sizes = recipe.get("image_sizes") or [1]
    return sum(size**2 for size in sizes) / len(sizes) / sizes[-1] ** 2


def flops_of_steps(counted: dict, epoch: int, steps: range, total: int) -> int:
    """Operations of these steps, all of the planned run's `epoch` (0-based) by what moves, in a run of `total` steps.

    `counted` is a cell's part of efficiency.json: step_flops and, where images grow, image_sizes and flops_at_sizes.
    """
    sizes = counted.get("image_sizes")
    if not sizes:
        return len(steps) * counted["step_flops"][epoch]
    at = dict(zip(sizes, counted["flops_at_sizes"][epoch]))
    return sum(count * at[size] for size, count in steps_between(counted, sizes[-1], steps, total).items())


def check_image_sizes(config: dict) -> None:
    """Raise InputError where sizes do not grow, or do not end at the size of a backbone that they would train."""
    if not any(entry["recipe"].get("image_sizes") for entry in config["strategies"].values()):
        return
    for cell in grid.cells(config):
        entry = config["strategies"][cell.strategy]
        sizes = entry["recipe"].get("image_sizes")
        if not sizes or kinds.declared(entry["kind"])["engine"] != "loop":
            continue
        where = f"config: strategies.{cell.strategy} trains with image_sizes {sizes}"
        if sizes != sorted(set(sizes)):
            raise InputError(f"{where}, which do not grow; list them from the smallest to the largest, each once.")
        own = config["backbones"][cell.backbone]["image_size"]
        if sizes[-1] != own:
            raise InputError(
                f"{where}, but backbones.{cell.backbone} has image_size {own}, at which it is validated and tested; end the list "
                f"with {own}, set image_sizes null for this strategy, or leave the cell out by exclude."
            )
