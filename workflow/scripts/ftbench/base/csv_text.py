"""Text in a CSV that a spreadsheet would take for a formula: an apostrophe goes before it, and away again when it is read.

A class is named by its folder, and a folder may be called `=HYPERLINK(...)`. A spreadsheet runs what begins with =, +, - or @.
"""

import re
from typing import Any

FORMULA = re.compile(r"'*[=+\-@]")


def guarded(frame: Any) -> Any:
    """The pandas frame with an apostrophe before every text that begins as a formula does."""
    return _mapped(frame, lambda text: f"'{text}" if FORMULA.match(text) else text)


def plain(frame: Any) -> Any:
    """The frame as it was before `guarded`."""
    return _mapped(frame, lambda text: text[1:] if text.startswith("'") and FORMULA.match(text) else text)


def _mapped(frame: Any, change) -> Any:
    columns = [name for name in frame if frame[name].dtype.kind == "O"]  # text, or values of several kinds
    mapped = {
        name: frame[name].map(lambda value: change(value) if isinstance(value, str) else value) for name in columns
    }
    return frame.assign(**mapped) if mapped else frame
