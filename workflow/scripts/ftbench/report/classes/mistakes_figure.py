"""The recommended cell's most confident mistakes: hard images, look-alike classes, and wrong labels."""

import numpy as np

from ftbench.base.files import read_json
from ftbench.report.classes.mistakes_list import SURE, Mistakes
from ftbench.report.layout.names import shortened
from ftbench.report.layout.pictures import thumbnail
from ftbench.report.layout.style import blank, message, panels, save, style, title

CAPTION = 16  # characters of a class's name at an image


def mistakes(found: Mistakes | None, test_images: np.ndarray, classes_path, dataset: str, out) -> None:
    """Draw the mistakes that `ftbench.report.classes.mistakes_list` found among `test_images` (N, H, W, 3) uint8."""
    if found is None:
        message(
            f"No run on {dataset} finished", "Every seed of every cell diverged, so there are no mistakes to show.", out
        )
        return
    wrong = len(found.confidence)
    who = f"{found.cell['strategy']} on {found.cell['backbone']}"
    if not wrong:
        few = f"No test image of {found.images:,} is wrong in {_most(found.seeds)}."
        message(f"{who} makes no mistake on {dataset}", few, out)
        return
    with style():
        figure, axes = panels(len(found.rows), 1.25, 1.62, columns=8)
        names = shortened(read_json(classes_path), CAPTION)
        for panel, row, said, true, sure in zip(axes, found.rows, found.said, found.true, found.sureness):
            _picture(panel, test_images[row], names[said], sure, names[true])
        detail = f"{who}: {100 * wrong / found.images:.1f} % of {found.images:,} test images are wrong in {_most(found.seeds)}. The "
        detail += f"{len(found.rows)} most confident; above each image what was predicted, with its probability"
        detail += f"{', a mean over seeds' if len(found.seeds) > 1 else ''}; below it the label of the data set, which may be the one in error."
        title(figure, _finding(found.confidence, dataset), detail)
        save(figure, out)


def _most(seeds: list[int]) -> str:
    """ "seed 0", "both seeds" or "most of 3 seeds": who must err for an image to be shown."""
    return f"seed {seeds[0]}" if len(seeds) == 1 else "both seeds" if len(seeds) == 2 else f"most of {len(seeds)} seeds"


def _picture(panel, image: np.ndarray, said: str, confidence: float, true: str) -> None:
    """One image, what it was taken for above it and its label below it."""
    panel.imshow(thumbnail(image))
    blank(panel)
    panel.set_title(f"{said}\n{100 * confidence:.1f} %", fontsize=8, color="#B34700", loc="center", pad=3)
    panel.set_xlabel(f"label: {true}", fontsize=8, labelpad=2)


def _finding(confidence: np.ndarray, dataset: str) -> str:
    """How many mistakes are confident, of the confidence (N,) of every mistake."""
    sure = int((confidence > SURE).sum())
    verb = "is" if sure == 1 else "are"
    return f"{sure:,} of {len(confidence):,} mistakes on {dataset} {verb} made with more than {100 * SURE:.0f} % confidence"
