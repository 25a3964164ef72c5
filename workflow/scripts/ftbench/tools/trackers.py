"""A study's saved records as runs of an experiment tracker: `ftbench log`.

Nothing trains again and no job knows a tracker: histories become curves, recipes become parameters, scores become metrics, and the files of a
run are linked by their paths. A tracker is one class here with the same three methods.
"""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ftbench.base.errors import InputError, choices
from ftbench.base.files import read_json

LINKED = ("model.safetensors", "run.json", "cost.json", "history.csv", "metrics.json", "test_logits.npz")
COSTS = ("train_seconds", "feature_seconds", "view_seconds", "images_per_second", "peak_memory_mb", "checkpoint_bytes")


class Logged(NamedTuple):
    """One run as every tracker gets it."""

    name: str  # digits/resnet8/scratch/seed0
    parameters: dict[str, Any]
    metrics: dict[str, float]
    curves: list[tuple[int, dict[str, float]]]  # (epoch, values)
    files: list[Path]
    tags: dict[str, str]


def results_of(study: str) -> Path:
    """The folder of a study, given by its name below results/ or as a folder. Raises InputError if it has no runs."""
    for folder in (Path("results") / study, Path(study)):
        if (folder / "runs").is_dir():
            return folder
    known = choices(path.parent.name for path in Path("results").glob("*/runs")) or "none yet"
    raise InputError(f"STUDY: {study} is no study below results/ and no folder with runs; studies there: {known}.")


def logged(results: Path) -> Iterator[Logged]:
    """Every run of a study that has a record, in the order of names; a diverged one has no metrics and says so in its tags."""
    for record_path in sorted((results / "runs").glob("*/*/*/seed*/run.json")):
        folder = record_path.parent
        record = read_json(record_path)
        dataset, backbone, strategy, seed = folder.relative_to(results / "runs").parts
        parameters = {"dataset": dataset, "backbone": backbone, "strategy": strategy, "seed": seed.removeprefix("seed")}
        parameters |= {key: record.get(key) for key in ("kind", "precision", "device_name", "total_params", "trainable_params")}  # fmt: skip
        parameters |= {f"network.{key}": value for key, value in (record["network"] or {}).items()}
        parameters |= {f"recipe.{key}": value for key, value in (record.get("recipe") or {}).items()}
        metrics = {key: value for key, value in record.items() if key.startswith("validation_")}
        metrics |= {f"test_{key}": value for key, value in _optional(folder / "metrics.json").items()}
        metrics |= {key: value for key, value in _optional(folder / "cost.json").items() if key in COSTS}
        yield Logged(
            name="/".join((dataset, backbone, strategy, seed)),
            parameters={key: value for key, value in parameters.items() if value is not None},
            metrics={key: float(value) for key, value in metrics.items() if _is_number(value)},
            curves=_curves(folder / "history.csv"),
            files=[folder / name for name in LINKED if (folder / name).exists()],
            tags={"status": record["status"], "study": results.name, "identity": str(record.get("identity"))},
        )


def _optional(path: Path) -> dict:
    return read_json(path) if path.exists() else {}


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _curves(path: Path) -> list[tuple[int, dict[str, float]]]:
    """The epochs of a history; none for what is fitted on features, whose rows are values of its grid."""
    if not path.exists():
        return []
    with open(path, encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("epoch")]
    found = []
    for row in rows:
        values = {name: value for name, value in row.items() if name not in ("epoch", "group_learning_rates") and value}
        found.append((int(row["epoch"]), {name: float(value) for name, value in values.items()}))
    return found


class Mlflow:
    """Runs of an MLflow experiment named after the study; the server is MLFLOW_TRACKING_URI, else the folder mlruns."""

    def __init__(self, results: Path):
        from ftbench.export.packages import need

        self.mlflow = need("ftbench log --to mlflow", "mlflow")
        self.mlflow.set_experiment(results.name)

    def log(self, run: Logged) -> None:
        with self.mlflow.start_run(run_name=run.name):
            self.mlflow.set_tags(run.tags | {f"file.{path.name}": str(path.resolve()) for path in run.files})
            self.mlflow.log_params(run.parameters)
            for epoch, values in run.curves:
                self.mlflow.log_metrics(values, step=epoch)
            self.mlflow.log_metrics(run.metrics)

    def where(self) -> str:
        return f"{self.mlflow.get_tracking_uri()}; show it with: mlflow ui"


class Trackio:
    """Runs of a Trackio project named after the study, in its local store."""

    def __init__(self, results: Path):
        from ftbench.export.packages import need

        self.trackio = need("ftbench log --to trackio", "trackio")
        self.project = results.name

    def log(self, run: Logged) -> None:
        linked = {f"file.{path.name}": str(path.resolve()) for path in run.files}
        self.trackio.init(project=self.project, name=run.name, config=run.parameters | run.tags | linked)
        for epoch, values in run.curves:
            self.trackio.log({"epoch": epoch, **values})
        self.trackio.log(run.metrics)
        self.trackio.finish()

    def where(self) -> str:
        return f"Trackio's project {self.project}; show it with: trackio show --project {self.project}"


class Tensorboard:
    """One event file per run below <results>/tensorboard_runs, with its curves, its scores and its parameters."""

    def __init__(self, results: Path):
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.writer, self.folder = EventFileWriter, results / "tensorboard_runs"
        shutil.rmtree(self.folder, ignore_errors=True)  # written anew: two writes would show every point twice

    def log(self, run: Logged) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING
        from tensorboard.plugins.text import metadata

        writer = self.writer(str(self.folder / run.name))
        last = run.curves[-1][0] if run.curves else 0
        for step, values in [*run.curves, (last, run.metrics)]:
            scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
            writer.add_event(Event(step=step, summary=Summary(value=scalars)))
        linked = {path.name: str(path.resolve()) for path in run.files}
        lines = [f"- {key}: {value}" for key, value in (run.parameters | run.tags | linked).items()]
        text = TensorProto(dtype=DT_STRING, string_val=["\n".join(lines).encode()])
        about = metadata.create_summary_metadata(display_name=None, description=None)
        summary = Summary(value=[Summary.Value(tag="run/text_summary", tensor=text, metadata=about)])
        writer.add_event(Event(summary=summary))
        writer.close()

    def where(self) -> str:
        return f"{self.folder}; show it with: tensorboard --logdir {self.folder}"


TRACKERS = {"mlflow": Mlflow, "tensorboard": Tensorboard, "trackio": Trackio}


def log(study: str, to: str) -> tuple[int, str]:
    """Log every run of a study to the tracker `to`; returns how many there were and where they can be seen."""
    results = results_of(study)
    tracker, count = TRACKERS[to](results), 0
    for run in logged(results):
        tracker.log(run)
        count += 1
    if not count:
        raise InputError(f"STUDY: {study} has no finished run yet; start it, and log it when runs have ended.")
    return count, tracker.where()
