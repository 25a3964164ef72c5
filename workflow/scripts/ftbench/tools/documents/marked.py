"""Documents of which a part, between two markers, is written by the code."""


def rewritten(text: str, begin: str, end: str, content: str) -> str:
    """`text` with `content` in the place of what stands between the two markers."""
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{content}\n\n{end}{rest.split(end)[1]}"
