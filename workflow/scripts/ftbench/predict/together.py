"""Test logits of a cell whose networks answer together, from the test logits of each. No network runs here."""

import numpy as np

from ftbench.base.files import read_json, write_npz
from ftbench.base.logits import load_logits
from ftbench.train import strategies


def predict_together(
    kind: str,
    runs: list[str],
    logits: list[str],
    out: str,
    flipped: list[str] | None = None,
    flipped_out: str | None = None,
) -> None:
    """Write test_logits.npz from those of the finished runs, which `runs` (run.json) names; the same of the mirrored images.

    NaN if no run finished.
    """
    finished = [place for place, path in enumerate(runs) if read_json(path)["status"] == "finished"]
    views = [(logits, out)] + ([(flipped, flipped_out)] if flipped else [])
    for paths, path in views:
        saved = [load_logits(paths[place]) for place in (finished or [0])]
        answers = strategies.load(kind).answers(np.stack([own for own, _, _ in saved])) if finished else saved[0][0]
        write_npz(path, logits=answers, labels=saved[0][1], ids=saved[0][2])
        print(f"{path}: {len(answers)} images, answered by {len(finished)} networks together")
