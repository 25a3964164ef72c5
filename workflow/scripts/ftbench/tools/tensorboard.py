"""TensorBoard event files from the histories of a study's trials and runs: `ftbench tensorboard`.

Made from files that exist anyway, so that nothing trains again for it, and a finished study can be looked at as well.
"""

import shutil
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from ftbench.tools.progress import all_runs, state


def scalars(row: dict[str, str]) -> dict[str, float]:
    """{tag: value} of a row of history.csv; the groups' learning rates get a tag each, the highest as group 1."""
    values = {name: value for name, value in row.items() if name not in ("epoch", "seconds") and value}
    groups = values.pop("group_learning_rates", "").split()
    values |= {f"group_learning_rate/{number}": rate for number, rate in enumerate(groups, start=1)}
    return {tag: float(value) for tag, value in values.items()}


def write_events(study: dict, results: Path) -> int:
    """Write results/tensorboard/<dataset>/<backbone>/<strategy>/<run>/; returns how many trials and runs had epochs.

    The step of every scalar is its epoch. The folder is written anew each time.
    """
    target = results / "tensorboard"
    shutil.rmtree(target, ignore_errors=True)
    written = 0
    for run in all_runs(study, results):
        epochs = [row for row in state(run)["epochs"] if row.get("epoch")]  # a probe's rows are penalties, not epochs
        if not epochs:
            continue
        written += 1
        writer = EventFileWriter(str(target / Path(*run.cell) / run.name))
        for row in epochs:
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars(row).items()]
            event = Event(step=int(row["epoch"]), wall_time=float(row["seconds"]), summary=Summary(value=values))
            writer.add_event(event)
        writer.close()
    return written
