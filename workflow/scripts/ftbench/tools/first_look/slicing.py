"""Columns beside the labels (a site, a camera, an age) by which the accuracy can be looked at: which of them make slices that say something."""

from collections import Counter

from ftbench.compare.slice_accuracy import SMALL
from ftbench.compare.slices import UNKNOWN, slices_of
from ftbench.tools.first_look.entry import Entry
from ftbench.tools.first_look.seen import Seen

MOST = 6  # slices of a column of words, and columns: more is a table that nobody reads


def settle_slices(entry: Entry, seen: Seen) -> list[str]:
    """Set `slices` to the columns that suit, unless the person has said which; returns them, or [] if none is set."""
    if "slices" in entry.keys or "slices_table" in entry.keys:
        return []
    names = seen.names["test"]
    labels = seen.labels["test"].tolist()
    found = [column for column, values in entry.metadata(names).items() if _suits(column, values, labels)]
    if found:
        entry.set(
            "slices", found[:MOST], "columns beside the labels: the accuracy in each of their slices, and the gap"
        )
    return found[:MOST]


def _suits(column: str, values: list[str], labels: list[int]) -> bool:
    """Whether a column of the test images has two slices or more, each of `SMALL` images, and is no other name of the class."""
    slices, _ = slices_of(values, column)
    if slices is None:
        return False
    counts = Counter(name for name in slices if name != UNKNOWN)
    if not 2 <= len(counts) <= MOST or min(counts.values()) < SMALL:
        return False
    return len(set(zip(slices, labels))) > max(len(counts), len(set(labels)))
