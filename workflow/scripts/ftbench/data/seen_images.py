"""Which images the weights of a finished run have seen, so that none of them is a test image of the study that starts from it.

Images are the same if their decoded pixels are, before they are resized: a copy under another name, in another format without loss
or stored at another size is found; one that was encoded again or cropped is not.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ftbench.base import verified
from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.data.own_split import split_of_run
from ftbench.data.split import training_rows
from ftbench.study.paths import OWN_SPLITS, run_of_weights

SHOWN = 3  # file names in a message
ADVICE = "or set seen_test_images: allow for the backbone to score without this check"


def check_seal(starts: list[dict], test_files, files, split, out) -> None:
    """Refuse weights that were trained on test images of a data set, or write down how many they are.

    `starts` holds a dict for each backbone that starts from a finished run: backbone, weights (run:<...>), run (its run.json) and
    seen_test_images ("refuse" or "allow"). test_files, files and split are those of the data set. What its own training part shares
    with its test part is not counted, unless it is tested in folds: the audit tells that, of every cell alike.

    out: JSON, {backbone: {"weights", "images": how many test images were seen, "test_images": of how many, "files": the first of
    them}}; "images" is None if that cannot be known and is allowed. Raises InputError at the first backbone that is to be refused.
    """
    tested = contents(test_files)
    # Of a data set that is tested in folds every image is tested, by networks that did not train on it.
    own = set() if "fold" in np.load(split) else set(contents(files).iloc[training_rows(split)])
    found = {}
    for start in starts:
        allowed = start["seen_test_images"] == "allow"
        try:
            seen = tested[tested.isin(seen_by(Path(start["run"]), start["weights"]) - own)]
        except InputError as error:
            if not allowed:
                raise InputError(f"{error}, {ADVICE}.") from error
            print(f"backbones.{start['backbone']}: {error} (seen_test_images: allow)")
            found[start["backbone"]] = _row(start, None, len(tested), [])
            continue
        names = list(seen.index[:SHOWN])
        if len(seen):
            said = (
                f"config: backbones.{start['backbone']}.weights is {start['weights']}, which was trained on {len(seen)} of the "
                f"{len(tested)} test images ({', '.join(names)}{', ...' * (len(seen) > SHOWN)})"
            )
            if not allowed:
                raise InputError(f"{said}; start from other weights or divide the images in the same way, {ADVICE}.")
            print(f"LEAK: {said} (seen_test_images: allow)")
        else:
            print(f"backbones.{start['backbone']}: {start['weights']} saw none of the {len(tested)} test images")
        found[start["backbone"]] = _row(start, len(seen), len(tested), names)
    write_json(out, found)


def _row(start: dict, images: int | None, test_images: int, files: list[str]) -> dict:
    return {"weights": start["weights"], "images": images, "test_images": test_images, "files": files}


def seen_by(run: Path, weights: str, passed: tuple[str, ...] = ()) -> set[str]:
    """The digests of all images that a run trained or chose on, those of the runs that it started from included.

    `run` is its run.json, in the folder of its study: results/<study>/runs/<dataset>/<backbone>/<strategy>/seed<n>. Raises
    InputError, without a full stop, where a file that says it is missing, damaged or of another split.
    """
    dataset, study = run.parents[3].name, run.parents[5]
    data = study / "data" / dataset
    record = _read(run, weights)
    for needed in (data / "split.npz", data / "files.csv"):
        if not needed.is_file():
            raise InputError(
                f"{weights}: {needed} is missing, so it cannot be known which images these weights were trained on; bring it back"
            )
    split = split_of_run(data, run.parent.name, record["digests"]["split"])
    if split is None:
        raise InputError(
            f"{weights}: {data / 'split.npz'} has changed since that run, or the split of its seed in {data / OWN_SPLITS} has or is gone, so it "
            "cannot be known which images these weights were trained on; run that study again"
        )
    _refuse_damaged(weights, run, split, data / "files.csv")
    seen = set(contents(data / "files.csv").iloc[training_rows(split)])
    origin = record["network"]["weights"]
    if record["digests"]["weights"] is None or not origin.startswith("run:"):
        return seen
    if origin in passed:
        raise InputError(f"{weights}: the runs that it started from start from each other; name another run")
    return seen | seen_by(study.parent.joinpath(*run_of_weights(origin), "run.json"), origin, (*passed, origin))


def _refuse_damaged(weights: str, *files: Path) -> None:
    """Raise InputError, without a full stop, if one of the files is not as it was written: most of them are no inputs of the job."""
    try:
        verified.check(files)
    except InputError as error:
        raise InputError(f"{weights}: {str(error).removesuffix('.')}") from error


def _read(run: Path, weights: str) -> dict:
    try:
        return read_json(run)
    except FileNotFoundError as error:
        raise InputError(
            f"{weights}: {run} is missing, so it cannot be known which images these weights were trained on; bring it back"
        ) from error


def contents(files: str | Path) -> pd.Series:
    """The digest of each image's content, under its file's name, in the order of images.npy. Raises InputError on an older table."""
    table = pd.read_csv(files, dtype=str, keep_default_na=False)
    if "content" not in table:
        raise InputError(
            f"{files} was written by an earlier version and does not say what its images hold; run that study again"
        )
    return table.set_index("file")["content"]
