"""The one exception that speaks to the user."""


class InputError(Exception):
    """Something the user gave is wrong, and the message is the whole story.

    The message is one sentence that names the key or file, the value found and what would be valid. A job that ends
    with it shows the sentence without a traceback (see `ftbench.base.job`).
    """


def choices(names) -> str:
    """'a, b, c' for the end of a sentence: the valid names, sorted."""
    return ", ".join(sorted(str(name) for name in names))
