"""Backbones that start from finished runs: which they are, and which files tell what those runs have seen."""

from collections.abc import Iterable
from pathlib import Path

from ftbench.study import grid, inputs
from ftbench.study.grid import Cell
from ftbench.study.paths import OWN_SPLITS, run_of_weights


def runs_started_from(study: dict, cells: Iterable[Cell]) -> list[dict]:
    """The backbones of some cells that start from a finished run: their names, weights, and what is to happen if those saw test images."""
    entries = {cell.backbone: study["backbones"][cell.backbone] for cell in inputs.pretrained(study, cells)}
    return [
        {"backbone": name, "weights": entry["weights"], "seen_test_images": entry["seen_test_images"]}
        for name, entry in entries.items()
        if entry["weights"].startswith("run:")
    ]


def files_of_starts(study: dict, cells: Iterable[Cell]) -> dict:
    """{name: files} of `runs_started_from`, in their order: what tells which images those runs have seen.

    A run of this study has a split of its own if the seeds of this study have. Whether one of another study has cannot be told from this
    config: the job finds that split by the digest in the run's record, and those of the runs that a run started from likewise.
    """
    starts = runs_started_from(study, cells)
    records = [inputs.weights_origin(study, start["weights"], "run.json") for start in starts]
    data = [Path(record).parents[5] / "data" / Path(record).parents[3].name for record in records]
    own = [grid.own_splits(study) and run_of_weights(start["weights"])[0] == study["study"] for start in starts]
    return {
        "runs": records,
        "their_files": [f"{folder}/files.csv" for folder in data],
        "their_splits": [f"{folder}/split.npz" for folder in data],
        "their_own_splits": [
            f"{folder}/{OWN_SPLITS}/{Path(record).parent.name}.npz"
            for folder, record, has_own in zip(data, records, own)
            if has_own
        ],
    }


def sealed(study: dict, cells: Iterable[Cell]) -> list[str]:
    """The data sets on which a backbone starts from a finished run, which must not have seen a test image."""
    return [
        name
        for name in dict.fromkeys(cell.dataset for cell in cells)
        if runs_started_from(study, [cell for cell in cells if cell.dataset == name])
    ]
