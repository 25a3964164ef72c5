"""CSV tables that the user writes: groups of images, test images to leave out."""

import csv
import io
from pathlib import Path

from ftbench.base.errors import InputError


def user_table(path: Path, key: str) -> csv.DictReader:
    """The rows of a user's CSV, in UTF-8 as spreadsheets write it too, with a byte order mark in front.

    `key` is the config key that the message names. Raises InputError on another encoding, which spreadsheets have as well.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{key}: {path} is not in UTF-8; save it again as CSV in UTF-8.") from error
    return csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
