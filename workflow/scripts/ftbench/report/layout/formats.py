"""How numbers are written for readers: percent, units and few digits."""

import pandas as pd

MISSING = "–"


def duration(seconds: float) -> str:
    """'0.7 s', '45 s', '12 min', '3.4 h', '2.1 d': two to three digits, the unit that fits."""
    if pd.isna(seconds):
        return MISSING
    if seconds == 0:
        return "0 s"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= 2 * size or unit == "s":
            value = seconds / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
    raise AssertionError("the last unit takes every duration")


def count(number: float) -> str:
    """'5.1 k', '3.4 M': a number of parameters."""
    if pd.isna(number):
        return MISSING
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def megabytes(number: float) -> str:
    """'44.8': bytes in megabytes."""
    return MISSING if pd.isna(number) else f"{number / 1e6:.3g}"


def operations(number: float) -> str:
    """'96 MFLOP', '3.2 TFLOP': a number of floating-point operations."""
    if pd.isna(number):
        return MISSING
    for size, unit in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}FLOP"
    return f"{number:.0f} FLOP"


def percent(fraction: float, digits: int = 1) -> str:
    return MISSING if pd.isna(fraction) else f"{100 * fraction:.{digits}f}"


def number(value: float, spec: str) -> str:
    return MISSING if pd.isna(value) else format(value, spec)


def detectable(fraction: float, digits: int = 1) -> str:
    """A detectable difference in points; 'none' where only one above 100 points would be found, and there is no such difference."""
    return "none" if fraction > 1 else percent(fraction, digits)


def p_value(p: float) -> str:
    """'0.012', '<0.001', or '–' where there is none: one seed says nothing of a recipe."""
    if pd.isna(p):
        return MISSING
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def points(gap: float, low: float, high: float) -> str:
    """'+1.20 [-0.30, +2.70]': a difference of fractions with its interval, in percentage points."""
    return f"{100 * gap:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"


def capital(text: str) -> str:
    """The text with a capital in front; the rest as it is."""
    return text[:1].upper() + text[1:]


def interval(mean: float, low: float, high: float) -> str:
    return MISSING if pd.isna(mean) else f"{percent(mean)} [{percent(low)}, {percent(high)}]"
