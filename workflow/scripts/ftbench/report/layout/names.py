"""Names of classes in figures: short enough to be drawn, still different, and in letters that the reader's machine has."""

import functools
import unicodedata
from collections.abc import Iterable

from matplotlib import font_manager

LONGEST = 28  # characters of a name beside or below a panel


def shortened(names: list[str], longest: int = LONGEST) -> list[str]:
    """The names with "…" in the middle of those longer than `longest`; if two become one, their positions are added."""
    short = [_short(name, longest) for name in names]
    return [f"{one} #{row + 1}" if short.count(one) > 1 else one for row, one in enumerate(short)]


def _short(name: str, longest: int) -> str:
    if len(name) <= longest:
        return name
    begin = (longest - 1) // 2
    return f"{name[:begin]}…{name[len(name) - (longest - 1 - begin) :]}"


def undrawable(texts: Iterable[str], family: str) -> str:
    """The characters, sorted, for which a font has no picture, or which it would set in the wrong order or unjoined."""
    known = _characters(family)
    return "".join(sorted({one for text in texts for one in text if _odd(one, known)}))


def _odd(character: str, known: frozenset[int]) -> bool:
    joined = unicodedata.bidirectional(character) in ("R", "AL", "AN")  # Hebrew and Arabic run from right to left
    return joined or (ord(character) not in known and character.isprintable() and not character.isspace())


@functools.cache
def _characters(family: str) -> frozenset[int]:
    return frozenset(font_manager.get_font(font_manager.findfont(family)).get_charmap())
