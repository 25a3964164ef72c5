"""Every network of a study, built and trained for one tiny step in every strategy that the study asks of it: `ftbench check`.

The networks have random weights, so nothing is downloaded, and see one blank image at their own size. The step of a strategy runs on
torch's meta device, where tensors have shapes and no numbers: what it finds is what a step would trip over, not what it would learn.
"""

import copy
import io
from collections.abc import Iterator
from contextlib import redirect_stdout

import torch
import torch.nn.functional as F

from ftbench.base.errors import InputError
from ftbench.model import architectures, backbones, freezing, sizes
from ftbench.model.backbones import Backbone
from ftbench.study import grid, inputs
from ftbench.study.cached_views import cached, passes_on, views_of
from ftbench.study.checks.view_sizes import gigabytes, refuse_large
from ftbench.study.kinds import declared
from ftbench.study.paths import file_and_key
from ftbench.tools.passes import halves
from ftbench.tools.plan import images_of
from ftbench.train import recipes, start, strategies

CLASSES = 3
IMAGES = 2  # of the tiny step
STATISTICS = {"mean": [0.5] * 3, "std": [0.25] * 3}


def faults(study: dict) -> Iterator[str]:
    """One sentence for each network that cannot be built, and for each strategy that does not fit one."""
    used: dict[str, dict[str, dict]] = {}
    for cell in inputs.here(study, grid.cells(study)):
        used.setdefault(cell.backbone, {})[cell.strategy] = study["strategies"][cell.strategy]
    for name, entries in used.items():
        entry = study["backbones"][name]
        try:
            check_weights(entry)
            backbone = _build(entry)
        except InputError as error:
            yield f"backbones.{name}: {_bare(error)}"
            continue
        tried = set()
        for strategy, given in entries.items():
            what = (
                given["kind"],
                given["recipe"].get("batch_size"),
                given["recipe"].get("accumulate"),
                str(given["recipe"].get("image_sizes")),
                given["recipe"].get("norm_statistics"),
            )
            try:
                if what not in tried:
                    tried.add(what)
                    if declared(given["kind"])["engine"] == "loop":
                        start.refuse_sizes(backbone, entry, given["recipe"])
                    try_strategy(backbone, given)
                if views_of(study, strategy):  # its files depend on the data sets of the strategy as well
                    try_views(backbone, study, name, strategy)
            except InputError as error:
                yield f"strategies.{strategy} on backbones.{name}: {_bare(error)}"


def _bare(error: InputError) -> str:
    return str(error).removeprefix("config: ")


def check_weights(entry: dict) -> None:
    """Raise InputError where the library has no such weights, or the user's own file does not fit the network."""
    scheme = entry["weights"].partition(":")[0]
    library = architectures.load(entry["source"])
    architectures.check_model(entry["source"], entry["model"], library.names())
    if scheme == "file":
        from ftbench.model.weights import read_state

        state, options = library.convert(entry["model"], read_state(*file_and_key(entry["weights"])))
        backbones.load(entry | {"activation": None}, CLASSES, state, entry["weights"], options)
    elif scheme not in ("pip", "run", "none"):
        architectures.check_tag(entry["source"], entry["model"], entry["weights"], library.tags(entry["model"]))


def _build(entry: dict) -> Backbone:
    """The network of a backbone's entry on the meta device, after it has seen one image on the CPU."""
    backbone = backbones.build(entry | {"mean": None, "std": None}, CLASSES, 0, None, STATISTICS)
    sizes.check_size(backbone.network, entry)
    backbone.network.to("meta")
    return backbone


def try_strategy(backbone: Backbone, entry: dict) -> None:
    """Let a strategy (an entry of the resolved study) take one step on a copy of `backbone`. Raises InputError where it cannot."""
    kind = entry["kind"]
    if declared(kind)["engine"] != "loop":
        return  # reads the features of a forward pass, which was made, or finished runs, whose own strategy is tried
    own = copy.copy(backbone)
    own.network = copy.deepcopy(backbone.network)
    recipe, strategy = entry["recipe"] | {"learning_rate": 0.01}, strategies.load(kind)
    try:
        strategy.adapt(own, recipe)
        if recipe["norm_statistics"] == "frozen":
            freezing.keep_statistics(own.network)
        names = strategy.trainable(own)
        freezing.freeze(own, names)
        start.refuse_single_images(own, recipe, recipe["batch_size"])
        with redirect_stdout(io.StringIO()):  # which tensors decay is for a job's log
            recipes.parameter_groups(own.network, recipe["weight_decay"], strategy.scales(own, recipe))
        if strategy.moving:
            strategy.moving(own, 0, recipe["epochs"])
        freezing.train_mode(own.network)
        for size in recipe.get("image_sizes") or [own.image_size]:
            logits = own.network(torch.empty(IMAGES, 3, size, size, device="meta"))
            F.cross_entropy(logits, torch.zeros(IMAGES, dtype=torch.long, device="meta")).backward()
        strategy.merge(own)
    except InputError:
        raise
    except Exception as error:  # each library and layer fails with errors of its own
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise InputError(f"config: a step of {kind} fails ({reason}); leave this cell out by exclude.") from error
    if not any(parameter.grad is not None for parameter in own.network.parameters()):
        raise InputError(f"config: {kind} moves nothing here; leave this cell out by exclude.")


def try_views(backbone: Backbone, study: dict, name: str, strategy: str) -> None:
    """Cut a copy of `backbone`, called `name`, for a strategy that reads cached views.

    Raises InputError where it cannot be cut, and where the views would exceed `cached_views_gb` on a data set. One whose number of images
    nobody knows yet is left to the job, which refuses before it computes.
    """
    own, size = copy.copy(backbone), backbone.image_size
    own.network = copy.deepcopy(backbone.network)
    parts = halves(own, study["strategies"][strategy]["kind"], study["backbones"][name]["model"])
    with torch.no_grad():
        values = parts.prefix(torch.empty(1, 3, size, size, device="meta")).numel()
    for cell in cached(study, grid.cells(study)):
        if (cell.backbone, cell.strategy) != (name, strategy):
            continue
        try:
            images, _ = images_of(cell.dataset, study["datasets"][cell.dataset], study["study"])
        except (InputError, OSError):
            continue
        views = views_of(study, strategy)
        needed = gigabytes(passes_on(study, cell.dataset, images, views), values)
        refuse_large(f"datasets.{cell.dataset}", views, needed, study["cached_views_gb"])
