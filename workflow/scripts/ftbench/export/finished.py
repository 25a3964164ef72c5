"""One finished run of a study: which one is meant, and where its files lie."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ftbench.base import verified
from ftbench.base.errors import InputError, choices
from ftbench.base.files import read_json
from ftbench.base.logits import load_logits
from ftbench.data.own_split import split_of_run
from ftbench.evaluate.cells import SELECTION
from ftbench.study import grid
from ftbench.study.paths import OWN_SPLITS


@dataclass(frozen=True)
class Finished:
    """The run in `folder`, results/<study>/runs/<dataset>/<backbone>/<strategy>/seed<k>."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder.parents[4]

    @property
    def cell(self) -> tuple[str, str, str]:
        """(dataset, backbone, strategy)."""
        strategy, backbone, dataset = (parent.name for parent in self.folder.parents[:3])
        return dataset, backbone, strategy

    @property
    def data(self) -> Path:
        return self.results / "data" / self.cell[0]

    @property
    def split(self) -> Path:
        """The split.npz that the run was trained on."""
        record = self.read("run.json")
        found = split_of_run(self.data, self.folder.name, record["digests"]["split"])
        if found is None:
            raise InputError(
                f"{self.folder} was trained on another split than those in {self.data} and {self.data / OWN_SPLITS}; let the study finish: start "
                "it again."
            )
        return found

    @property
    def workplace(self) -> Path:
        """Where Snakemake ran: what a config's paths and the folder `resources` are relative to."""
        return self.results.resolve().parents[1]

    @property
    def resources(self) -> Path:
        """Of the place that the study ran in; if results were copied away from there, of the present folder."""
        own = self.workplace / "resources"
        return own if own.is_dir() else Path("resources")

    @property
    def features(self) -> Path:
        """The folder of the features of the frozen backbone, which strategies that are fitted on them share."""
        return self.results / "features" / self.cell[0] / self.cell[1]

    def read(self, name: str, of_data: bool = False):
        """A JSON file of the run, or of its data set. Raises InputError if it is missing or not as it was written."""
        path = (self.data if of_data else self.folder) / name
        if not path.exists():
            raise InputError(f"{path} is missing; give the folder of a finished run, in the results of its study.")
        verified.check([path])
        return read_json(path)

    def read_optional(self, path: Path):
        """A JSON file that not every study has; None if it is missing."""
        return read_json(path) if path.exists() else None

    def logits(self, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logits (N, C), labels (N,) and ids (N,) of part "val" or "test"."""
        path = self.folder / f"{part}_logits.npz"
        if not path.exists():
            raise InputError(f"{path} is missing; let the study finish first: start it again.")
        verified.check([path])
        return load_logits(path)


def is_run(folder: Path) -> bool:
    return (folder / "run.json").exists()


def folder_of_study(study: str, argument: str) -> Path:
    """The folder of a study that is named, or given as a folder. Raises InputError, which names the argument, if it has no runs."""
    folder = Path(study) if (Path(study) / "runs").is_dir() else Path("results") / study
    if not (folder / "runs").is_dir():
        known = choices(path.parent.name for path in Path("results").glob("*/runs")) or "none yet"
        raise InputError(
            f"{argument}: {study} is no folder with runs and no study below results/; studies there: {known}."
        )
    return folder


def choose(
    study: str, dataset: str | None, backbone: str | None, strategy: str | None, seed: int | None, recommended: bool
) -> Finished:
    """The run that these names mean; what is left out must be the only one there is, or is chosen on validation and said.

    `study` is a name below results/ or a folder. `recommended` takes the cell that the study recommends without any limit. Raises
    InputError, with the valid names, if no run or no finished one is meant.
    """
    results = folder_of_study(study, "STUDY")
    runs = results / "runs"
    dataset = _one(runs, dataset or _largest(results), "--dataset")
    _check_single(results, dataset)
    if recommended:
        if backbone or strategy:
            raise InputError("--recommended chooses backbone and strategy itself; leave --backbone and --strategy out.")
        backbone, strategy = _recommended(results, dataset)
        print(f"the study recommends {strategy} on {backbone}")
    backbone = _one(runs / dataset, backbone, "--backbone")
    strategy = _one(runs / dataset / backbone, strategy, "--strategy")
    return Finished(_seed(runs / dataset / backbone / strategy, seed))


def _check_single(results: Path, dataset: str) -> None:
    """A data set that is tested in folds has no run with a network of its own, and those of its folds were trained to test it."""
    study = {"datasets": {}} | _study(results)
    whole = study["datasets"].get(dataset, {}).get("fold_of") or dataset
    if folds := grid.folds_of(study, whole):
        raise InputError(f"--dataset: {dataset} is {pooled(whole, len(folds), dataset)}.")


def pooled(whole: str, folds: int, dataset: str) -> str:
    """What is to be said of a data set, tested in folds, or of one of its folds, of which no network is to be used."""
    what = f"tested in {folds} folds" if dataset == whole else f"one of {folds} folds of {whole}"
    return (
        f"{what}, whose networks were each trained on a part of the images to test the rest, so that there is no single one to use; train the "
        "chosen cell once with test_fraction in the place of test_folds"
    )


def _largest(results: Path) -> str | None:
    """The data set with the most training images, where the study's data sets are sizes of one (`train_limit`); else None."""
    every = _study(results).get("datasets", {})
    entries = {name: entry for name, entry in every.items() if entry.get("fold_of") is None}
    if len(entries) == 1 < len(every):  # it is tested in folds, which is said next
        return next(iter(entries))
    if len(entries) < 2 or len({entry["family"] for entry in entries.values()}) > 1:
        return None
    name = max(entries, key=lambda name: entries[name]["train_limit"] or math.inf)
    print(f"of {len(entries)} sizes of the training set, {name} is taken: the largest; --dataset names another")
    return name


def _one(folder: Path, given: str | None, option: str) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if given is None and len(names) == 1:
        return names[0]
    if given not in names:
        said = "is not given" if given is None else f"{given} is unknown"
        more = "; --recommended lets the study choose" if option != "--dataset" else ""
        raise InputError(f"{option} {said}; valid are {choices(names)}{more}.")
    return given


def _recommended(results: Path, dataset: str) -> tuple[str, str]:
    path = results / "tables" / "recommendation.csv"
    if not path.exists():
        raise InputError(f"--recommended needs {path}; let the study finish first, or name --backbone and --strategy.")
    table = pd.read_csv(path, dtype={"dataset": str, "best_backbone": str, "best_strategy": str})
    row = table[table["dataset"] == dataset].iloc[0]  # the first one is without any limit
    if pd.isna(row["best_strategy"]):
        raise InputError(f"--recommended: no cell of {dataset} finished without diverging, so none is recommended.")
    return row["best_backbone"], row["best_strategy"]


def _seed(cell: Path, seed: int | None) -> Path:
    """The folder of the seed, or of the finished one with the best validation score (the lowest NLL, then the lowest number)."""
    found = {path.name.removeprefix("seed"): path for path in cell.glob("seed*") if is_run(path)}
    found = dict(sorted(found.items(), key=lambda pair: int(pair[0])))
    if seed is not None:
        if str(seed) not in found:
            raise InputError(f"--seed {seed} is no run of {cell}; valid are {choices(found) or 'none yet'}.")
        return found[str(seed)]
    records = {path: read_json(path / "run.json") for path in found.values()}
    finished = {path: record for path, record in records.items() if record["status"] != "diverged"}
    if not finished:
        raise InputError(f"{cell} has no finished run; choose another backbone or strategy.")
    study = _study(cell.parents[3])
    metric = SELECTION[study.get("selection_metric", "accuracy")]
    best = min(finished, key=lambda path: (-finished[path][metric], finished[path]["validation_nll"]))
    if len(found) > 1:
        own = ", each on validation images of its own, so that the score is partly theirs" * grid.own_splits(study)
        print(f"of {len(found)} seeds, {best.name} is taken: the best {metric.replace('_', ' ')}{own}")
    return best


def _study(results: Path) -> dict:
    """The resolved config of a study; {} if it is not finished enough to have left one."""
    path = results / "study.json"
    return read_json(path) if path.exists() else {}
