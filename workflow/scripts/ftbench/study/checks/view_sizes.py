"""How many images pass through a frozen part that runs once, and how much room on the disk takes what it gives."""

from ftbench.base.errors import InputError

BYTES = 2  # of a float16


def passes(train: int, validation: int, views: int, own_splits: bool) -> int:
    """Images that pass through the frozen part: every view of those that may train, and those that may validate as they are."""
    return (train + validation) * (views + 1) if own_splits else train * views + validation


def gigabytes(passes: int, values: int) -> float:
    """Size of both files in 10⁹ bytes, where `values` numbers cross the cut for each of the images that pass."""
    return passes * values * BYTES / 1e9


def refuse_large(what: str, views: int, size: float, limit: float) -> None:
    """Raise InputError if cached views would take more than `limit` GB."""
    if size > limit:
        fitting = int(views * limit / size)
        advice = f"at most {fitting} fit" if fitting else "not even one fits"
        raise InputError(
            f"config: cached_views {views} for {what} would take {size:.1f} GB, more than cached_views_gb allows ({limit:g}): {advice}; lower "
            "it, or raise cached_views_gb."
        )
