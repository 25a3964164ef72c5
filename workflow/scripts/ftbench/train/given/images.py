"""Which row of the user's predictions is of which image: by the names of files, or by row numbers."""

from pathlib import Path

import numpy as np
import pandas as pd

from ftbench.base.errors import InputError, listed
from ftbench.base.given.user_csv import FileNames, shared_folder
from ftbench.train.given.file import Predictions


def image_names(files: str | Path) -> list[str]:
    """The names of the images of a part, by id, from files.csv or test_files.csv."""
    return pd.read_csv(files, dtype=str, keep_default_na=False)["file"].tolist()


def rows_of_images(found: Predictions, names: list[str], wanted: np.ndarray, settings: dict, part: str) -> np.ndarray:
    """(M,) the row of the predictions for each image of `wanted` (M,), ids of `names`; prints what the other rows are.

    `settings` is `ftbench.study.settings.predictions`, `part` "validation" or "test". Raises InputError on an image without a row, or with
    two that differ, and on a row that may mean several images.
    """
    where = f"config: {settings['key']}: {settings['path']}"
    if found.ids is not None and settings["shared"]:
        raise InputError(
            f"{where} names images by id, which count from 0 in both parts; give two files, validation and test, or a column file."
        )
    images = found.ids.tolist() if found.ids is not None else _by_name(found.names, names, settings, where)
    first: dict[int, int] = {}
    for row, image in enumerate(images):
        if image is None or not 0 <= image < len(names):
            continue
        if not np.array_equal(found.logits[first.setdefault(image, row)], found.logits[row]):
            hint = (
                "; if it is an image of the other part, give two files, validation and test"
                if settings["shared"]
                else ""
            )
            raise InputError(f"{where} has two rows for {names[image]} with different values; keep one{hint}.")
    missing = [names[image] for image in wanted.tolist() if image not in first]
    if missing:
        raise InputError(
            f"{where} has no prediction for {len(missing):,} of {len(wanted):,} {part} images: {listed(missing, 3)}; add a row for each."
        )
    others = len(images) - sum(map(set(wanted.tolist()).__contains__, images))
    print(
        f"{settings['path']}: {len(images):,} rows, of which {others:,} are of none of the {len(wanted):,} {part} images."
    )
    return np.array([first[image] for image in wanted.tolist()], np.int64)


def _by_name(written: list[str], names: list[str], settings: dict, where: str) -> list[int | None]:
    """The id of each row's image, None if it is none of `names`.

    In a file of both parts test/cat/1.jpg must not be taken for train/cat/1.jpg: only if no row names its part may a row leave it out.
    """
    place = {name: number for number, name in enumerate(names)}
    beside = (Path(settings["path"]).parent, Path())
    ways = [()] if settings["shared"] else []
    found: list[int | None] = []
    for folders in (*ways, shared_folder(names)):
        known = FileNames(names, settings["root"], folders, beside)
        try:
            found = [None if (name := known.find(text)) is None else place[name] for text in written]
        except ValueError as error:
            raise InputError(f"{where}: {error}; write its folder too (timm: --fullname).") from error
        if any(image is not None for image in found):
            break
    return found
