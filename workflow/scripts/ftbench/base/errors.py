"""The one exception that speaks to the user."""


class InputError(Exception):
    """Something the user gave is wrong, and the message is the whole story.

    The message is one sentence that names the key or file, the value found and what would be valid. A job that ends
    with it shows the sentence without a traceback (see `ftbench.base.job`). Names that come from files, folders and servers
    reach the terminal through it, so what steers a terminal is written out.
    """

    def __init__(self, message: str):
        super().__init__(printable(str(message)))


def printable(text: str) -> str:
    """The text with control characters, and marks that turn its direction, written as \\x1b or \\u202e; lines stay lines."""
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text)


def choices(names) -> str:
    """'a, b, c' for the end of a sentence: the valid names, sorted."""
    return ", ".join(sorted(str(name) for name in names))


def listed(names, most: int = 5) -> str:
    """'a, b, c and 7 more' inside of a sentence, in the order given."""
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
