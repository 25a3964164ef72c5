"""Cells of a study: the labels that name them, their files side by side, and which of them is recommended."""

CELL = ["dataset", "backbone", "strategy"]  # the labels of a cell
LABELS = (*CELL, "seed")  # the labels of a run
# The study's selection metric -> the key of run.json by which cells are chosen, and the same on the test set in comparison.csv.
SELECTION = {"accuracy": "validation_accuracy", "balanced_accuracy": "validation_balanced_accuracy"}
MEASURED = {"accuracy": "accuracy_mean", "balanced_accuracy": "balanced_accuracy"}


def zip_runs(labels: list[dict], **files: list) -> list[dict]:
    """Put the labels of runs (or cells) and their files, listed in the same order, together: [{"labels", name: path}]."""
    return [dict(zip(("labels", *files), entry)) for entry in zip(labels, *files.values(), strict=True)]


def add_shared(runs: list[dict], labels: list[dict], **files: list) -> None:
    """Give every run the files of its cell, or of its data set and backbone: those whose labels are among its own."""
    for entry in zip_runs(labels, **files):
        own = entry.pop("labels")
        for run in runs:
            if own.items() <= run["labels"].items():
                run.update(entry)


def recommended_cell(cells: dict[tuple, dict]) -> tuple | None:
    """The key of the cell with the best validation score; None if nothing finished.

    `cells` maps a key to {"validation": mean over finished seeds or None, "nll": the same of validation NLL, "diverged":
    number of seeds}. A cell without diverged seeds goes before one with some; ties go to the lower NLL, then to the first in
    order. Test scores play no part. The seeds that validation preferred are tested, which flatters them by their own luck.
    """
    finished = [key for key, cell in cells.items() if cell["validation"] is not None]
    if not finished:
        return None
    return min(finished, key=lambda key: (cells[key]["diverged"] > 0, -cells[key]["validation"], cells[key]["nll"]))


def config_order(cells: list[dict]) -> list[tuple[str, str, str]]:
    """(dataset, backbone, strategy) of every cell: data sets in alphabetical order, config order within one."""
    return sorted((tuple(cell[label] for label in CELL) for cell in cells), key=lambda key: key[0])
