"""Where the examples of docs/metrics.md are kept: the first name of a row -> a function that computes what the example shows.

A function returns a value or several, in the order in which they stand there; it may ask for pytest's tmp_path and monkeypatch.
"""

EXAMPLES = {}


def example(row):
    return lambda function: EXAMPLES.setdefault(row, function)
