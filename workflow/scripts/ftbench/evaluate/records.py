"""What every run's JSON files hold, gathered once: a dozen tables and figures read one file instead of one per run and kind.

Planning notices each file that a rule reads, so with thousands of runs this is also what keeps it short.
"""

import json
import os
from typing import Any

from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, read_json

GATHERED = ("run", "metrics")


def write_records(runs: list[dict], out: str | os.PathLike) -> None:
    """Write a line of JSON per run, {"labels", "run", "metrics"}; `runs` holds {"labels", "run", "metrics": paths}."""
    with atomic_write(out) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        for entry in runs:
            record = {"labels": entry["labels"]} | {name: read_json(entry[name]) for name in GATHERED}
            stream.write(json.dumps(record) + "\n")


def read_records(path: str | os.PathLike, labels: list[dict], *names: str, **files: list) -> list[dict]:
    """The runs with these labels, in their order: {"labels", each of `names`: what its file held, each of `files`: a path}.

    `files` are listed in the order of `labels`, as for `ftbench.evaluate.cells.zip_runs`. Raises InputError where a run has no record.
    """
    found = {}
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            found[tuple(record["labels"].items())] = {name: record[name] for name in names}
    runs = []
    for own, *paths in zip(labels, *files.values(), strict=True):
        if tuple(own.items()) not in found:
            raise InputError(f"{path} has no record of {own}: delete it and start again.")
        runs.append({"labels": own} | found[tuple(own.items())] | dict(zip(files, paths)))
    return runs


def content(value: Any) -> dict:
    """What a JSON file holds, given its path or, from `read_records`, what it holds."""
    return value if isinstance(value, dict) else read_json(value)
