"""The recommended cell's most confident mistakes: hard images, look-alike classes, and wrong labels."""

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.base.logits import load_logits
from ftbench.evaluate.probabilities import log_softmax
from ftbench.report.layout.names import shortened
from ftbench.report.layout.pictures import thumbnail
from ftbench.report.layout.recommended_runs import finished_runs_of_recommended
from ftbench.report.layout.style import blank, message, panels, save, style, title

SHOWN = 24
CAPTION = 16  # characters of a class's name at an image
SURE = 0.9  # confidence above which the title counts a mistake as confident


def mistakes(runs: list[dict], cells_csv, test_images_path, classes_path, dataset: str, out) -> None:
    """Draw the wrong answers with the largest probability of the recommended cell's first finished seed.

    `runs` holds {"labels", "metrics": path, "test_logits": path}; the logits' ids are row numbers of `test_images.npy`
    (N, H, W, 3) uint8. Raises InputError if an id is none.
    """
    own = finished_runs_of_recommended(runs, cells_csv, dataset)
    if not own:
        message(
            f"No run on {dataset} finished", "Every seed of every cell diverged, so there are no mistakes to show.", out
        )
        return
    images, classes = np.load(test_images_path, mmap_mode="r"), read_json(classes_path)
    logits, labels, ids = load_logits(own[0]["test_logits"])
    if ids.min() < 0 or ids.max() >= len(images):
        raise InputError(
            f"{own[0]['test_logits']} names test image {ids.max()} and {test_images_path} has {len(images)}: predict again."
        )
    probabilities = np.exp(log_softmax(logits))
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    cell = own[0]["labels"]
    who = f"{cell['strategy']} on {cell['backbone']}, seed {cell['seed']}"
    if not len(wrong):
        message(
            f"{who} makes no mistake on {dataset}", f"All {len(labels):,} test images are classified as labelled.", out
        )
        return
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")[:SHOWN]]
    with style():
        figure, axes = panels(len(shown), 1.25, 1.62, columns=8)
        names = shortened(classes, CAPTION)
        for panel, number in zip(axes, shown):
            said, true = names[predicted[number]], names[labels[number]]
            _picture(panel, images[ids[number]], said, confidence[number], true)
        detail = f"{who}: {100 * len(wrong) / len(labels):.1f} % of {len(labels):,} test images are wrong. The {len(shown)} most "
        detail += "confident; above each image what was predicted, below it the label of the data set, which may be the one in error."
        title(figure, _finding(confidence[wrong], dataset), detail)
        save(figure, out)


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
