"""The same picture under two labels: whatever a network answers, one of them is wrong."""

from collections import defaultdict
from collections.abc import Sequence

SHOWN = 20  # pictures that a summary names


def contradictory(digests: Sequence[bytes], labels: Sequence[int], files: Sequence[str], classes: list[str]) -> dict:
    """{"pictures": how many have several labels, "images": their copies, "examples": the first, as [[file, class], ...]}.

    `digests` are of the pixels: equal ones are one picture.
    """
    rows = defaultdict(list)
    for row, key in enumerate(digests):
        rows[key].append(row)
    several = [own for own in rows.values() if len({labels[row] for row in own}) > 1]
    return {
        "pictures": len(several),
        "images": sum(map(len, several)),
        "examples": [[[files[row], classes[labels[row]]] for row in own] for own in several[:SHOWN]],
    }
