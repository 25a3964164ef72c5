"""Which files a job reads and whose they are: lists of paths and of labels, made from the resolved study.

Labels (dataset, backbone, strategy, seed) travel beside the files as a parameter, in the same order: no file name is parsed.
`cells` are those that are meant: all of the study, or those of one data set. Paths keep their <folders>, and the wildcards that
the reading rule shares.
"""

from collections.abc import Iterable

from ftbench.study import grid, settings
from ftbench.study.cached_views import view_files
from ftbench.study.downloads import download_of
from ftbench.study.grid import Cell
from ftbench.study.kinds import declared
from ftbench.study.paths import (
    ACTIVATIONS,
    DOWNLOADED,
    NORMALIZATION,
    OWN_SPLIT,
    RUN,
    SELECTED,
    SELECTED_OF_SEED,
    TUNED,
    file_and_key,
    run_of_weights,
    weights_stem,
)
from ftbench.study.trials import Trial

# --- parts of the grid -----------------------------------------------------------------------------------------------


def strategies(study: dict, engine: str) -> list[str]:
    """Names of the strategies of one engine: "loop", "features", "runs" or "given"."""
    return [name for name, entry in study["strategies"].items() if declared(entry["kind"])["engine"] == engine]


def together(study: dict) -> list[str]:
    """Names of the strategies without a network of their own: those that they are made of answer together."""
    return [name for name, entry in study["strategies"].items() if declared(entry["kind"]).get("together")]


def without_network(study: dict) -> list[str]:
    """Names of the strategies that leave no network: those that answer together, and predictions from outside."""
    return [*together(study), *strategies(study, "given")]


def seeded(study: dict, names: Iterable[str]) -> list[str]:
    """Those of some strategies that run with every seed."""
    return [name for name in names if grid.repeats(study, name)]


def places(cells: Iterable[Cell]) -> list[dict]:
    """Each data set and backbone of some cells, once."""
    return [
        {"dataset": dataset, "backbone": backbone} for dataset, backbone in dict.fromkeys(cell[:2] for cell in cells)
    ]


def pretrained(study: dict, cells: Iterable[Cell]) -> list[Cell]:
    """The cells that start from pretrained weights."""
    return [cell for cell in cells if settings.start(study, cell) in grid.PRETRAINED]


def here(study: dict, cells: Iterable[Cell]) -> list[Cell]:
    """The cells whose networks are there: those without predictions from outside."""
    return [cell for cell in cells if grid.given(study, cell.strategy) is None]


def fine_tuned(study: dict, cells: Iterable[Cell]) -> list[Cell]:
    """The cells that train a network from pretrained weights: a probe on frozen features does not."""
    loop = strategies(study, "loop")
    return [cell for cell in pretrained(study, cells) if cell.strategy in loop]


def runs(study: dict, cells: Iterable[Cell]) -> list[dict]:
    """Labels of every run of some cells, in the order of the tables."""
    return [cell._asdict() | {"seed": seed} for cell in cells for seed in grid.seeds_of(study, cell.strategy)]


def run_files(name: str, labels: Iterable[dict]) -> list[str]:
    """File `name` of each run."""
    pattern = f"{RUN}/{name}"
    return [pattern.format(**run) for run in labels]


def judges(study: dict, cells: Iterable[Cell]) -> list[str]:
    """The backbones whose features an audit of one data set uses: those that a probe or neighbours read anyway, else the first
    with pretrained weights."""
    start = pretrained(study, cells)
    fitted = strategies(study, "features")
    names = dict.fromkeys(cell.backbone for cell in start if cell.strategy in fitted)
    return list(names) or [cell.backbone for cell in start][:1]


def feature_files(study: dict, cells: Iterable[Cell], name: str) -> list[str]:
    """File `name` of the features of each of `judges`."""
    return [f"<results>/features/{{dataset}}/{backbone}/{name}" for backbone in judges(study, cells)]


def own_splits(study: dict) -> list[str]:
    """The split of every seed that has one of its own, the data set left open; [] if all share one."""
    return [OWN_SPLIT.replace("{seed}", str(seed)) for seed in study["seeds"] if grid.own_splits(study)]


def selections(study: dict, cells: Iterable[Cell]) -> list[dict]:
    """Labels of every choice of a recipe: the cells, or the runs where every seed chooses on a split of its own."""
    found = []
    for cell in cells:
        each = grid.own_splits(study) and grid.repeats(study, cell.strategy)
        found += runs(study, [cell]) if each else [cell._asdict()]
    return found


def selected(labels: Iterable[dict]) -> list[str]:
    """How the recipe of each of `selections` was chosen."""
    return [SELECTED_OF_SEED.format(**label) if "seed" in label else SELECTED.format(**label) for label in labels]


# --- the seeds of one cell, whose other wildcards stay open ----------------------------------------------------------


def seed_files(name: str, seeds: Iterable[int]) -> list[str]:
    """File `name` of each seed of a cell."""
    return [f"{RUN}/{name}".replace("{seed}", str(seed)) for seed in seeds]


def corrupted_runs(study: dict, cells: Iterable[Cell]) -> list[dict]:
    """Labels of every run that sees corrupted images: those of the first seeds. What only answers together would need all of them,
    and predictions from outside are of the images as they are."""
    seen = {name: grid.seeds_of(study, name)[: study["corruptions"]["seeds"]] for name in study["strategies"]}
    seen |= dict.fromkeys(without_network(study), [])
    return [labels for labels in runs(study, cells) if labels["seed"] in seen[labels["strategy"]]]


def networks(study: dict, cells: Iterable[Cell]) -> list[dict]:
    """Labels of every run that leaves a model of its own; of a data set that is tested in folds, those of the folds."""
    without = without_network(study)
    return [labels for labels in runs(study, grid.trained(study, cells)) if labels["strategy"] not in without]


# --- data sets that are tested in folds ------------------------------------------------------------------------------


def folded(study: dict, datasets: Iterable[str]) -> list[str]:
    """The data sets that are tested in folds: their runs are pooled of those of the folds."""
    return [name for name in datasets if grid.folds_of(study, name)]


def fold_files(study: dict, dataset: str, pattern: str) -> list[str]:
    """The file that `pattern` names, with {dataset} in it, of every fold of a data set; other wildcards stay open."""
    return [pattern.replace("{dataset}", name) for name in grid.folds_of(study, dataset)]


def measured_in(study: dict, dataset: str) -> str:
    """Where networks are measured (operations, silent units, transferability): a data set itself, or its first fold."""
    return next(iter(grid.folds_of(study, dataset)), dataset)


def measured_files(study: dict, pattern: str, places: Iterable[dict]) -> list[str]:
    """The file that `pattern` names of every place or cell, as `measured_in` says."""
    return [pattern.format(**place | {"dataset": measured_in(study, place["dataset"])}) for place in places]


# --- what a job starts from ------------------------------------------------------------------------------------------


def downloads(study: dict, datasets: Iterable[str]) -> list[str]:
    """The record of every download that these data sets come from, each once."""
    entries = [study["datasets"][name] for name in datasets]
    fetched = {(entry["source"], name) for entry in entries if (name := download_of(entry)) is not None}
    return [DOWNLOADED.format(source=source, name=name) for source, name in sorted(fetched)]


def weights_file(study: dict, backbone: str, suffix: str) -> str | list:
    """The file of a backbone's weights, or their record; [] if the config gives it none."""
    entry = study["backbones"][backbone]
    if entry["weights"] == "none":
        return []
    return weights_stem(entry) + suffix


def weights_records(study: dict, cells: Iterable[Cell]) -> list[str]:
    """The record of all weights that the backbones of some cells have, each once."""
    names = dict.fromkeys(cell.backbone for cell in here(study, cells))
    found = [weights_file(study, backbone, ".json") for backbone in names]
    return list(dict.fromkeys(filter(None, found)))


def weights_origin(study: dict, weights: str, name: str) -> str | list:
    """What weights are copied from: the user's own file, or file `name` of the run that left them; else []."""
    scheme, _, rest = weights.partition(":")
    if scheme == "file" and name == "model.safetensors":
        return file_and_key(rest)[0]
    if scheme != "run":
        return []
    owner, run = run_of_weights(weights)
    root = "<results>" if owner == study["study"] else f"<studies>/{owner}"
    return f"{root}/{run}/{name}"


def start_files(study: dict, cell, trial: Trial | None = None) -> dict:
    """{name: file or []} of all that a trial or run starts from."""
    start = settings.start(study, cell)
    probe = f"{RUN}/".replace("{strategy}", str(study["strategies"][cell.strategy]["probe"]))
    # With splits of their own, that of the same seed: of the same split.
    probe = probe.replace("seed{seed}", "<fitted>")
    return {
        "weights": [] if start == "random" else weights_file(study, cell.backbone, ".safetensors"),
        "record": [] if start == "random" else weights_file(study, cell.backbone, ".json"),
        "normalization": NORMALIZATION if start == "random" else [],
        "probe_model": f"{probe}model.safetensors" if start == "probe" else [],
        "probe_cost": f"{probe}cost.json" if start == "probe" else [],
        **view_files(study, cell),
        **({"promoted": f"{TUNED}/rung{trial.rung}.json" if trial.rung else []} if trial else {}),
    }


def member_files(study: dict, cell, *names: str) -> dict:
    """{name: files} of the runs that a cell is made of: `names` of every seed, and how their recipe was chosen."""
    of = study["strategies"][cell.strategy]["of"]
    folders = [f"{RUN}/".replace("{strategy}", of).replace("{seed}", str(seed)) for seed in grid.seeds_of(study, of)]
    files = {name.partition(".")[0]: [folder + name for folder in folders] for name in names}
    files |= {"of_selected": SELECTED.replace("{strategy}", of)}
    if declared(study["strategies"][cell.strategy]["kind"])["start"] == "of":
        return files
    return files | start_files(study, cell)


def trial_files(trials: Iterable[Trial], below: int | None = None) -> list[str]:
    """The result of every trial of a cell, or of those on the rung right below `below`."""
    return [f"{TUNED}/trial{trial.name}/trial.json" for trial in trials if below is None or trial.rung == below - 1]


# --- questions along one axis ----------------------------------------------------------------------------------------


def families(study: dict, datasets: Iterable[str]) -> dict:
    """{strategy: [its name in the config, {data set: the policy that it gets there}]} of those that are one policy of several."""
    return {
        name: [
            entry["family"],
            {dataset: settings.augmentation(study, dataset, entry["recipe"]["augmentation"]) for dataset in datasets},
        ]
        for name, entry in study["strategies"].items()
        if entry["family"] != name
    }


def silent_unit_cells(study: dict, cells: Iterable[Cell]) -> list[dict]:
    """{"labels", "activation"} of the cells whose silent units are counted: trained networks whose backbone names its activation."""
    loop = strategies(study, "loop")
    return [
        {"labels": cell._asdict(), "activation": study["backbones"][cell.backbone]["activation"]}
        for cell in here(study, cells)
        if study["backbones"][cell.backbone]["activation"] and cell.strategy in loop
    ]


def silent_unit_files(study: dict, cells: Iterable[Cell]) -> list[str]:
    return measured_files(study, ACTIVATIONS, [entry["labels"] for entry in silent_unit_cells(study, cells)])


def axes(study: dict, cells: Iterable[Cell]) -> list[str]:
    """The questions along one axis that the study asks: "policies", "activations", both or neither."""
    named = any(study["backbones"][cell.backbone]["activation"] for cell in here(study, cells))
    return ["policies"] * bool(families(study, ())) + ["activations"] * named


def limits(study: dict, datasets: Iterable[str]) -> list[dict]:
    """{"family", "dataset", "limit"} of the data sets that are one limit of several, the smallest of each family first."""
    entries = {name: study["datasets"][name] for name in datasets}
    return [
        {"family": entry["family"], "dataset": name, "limit": entry["train_limit"]}
        for name, entry in entries.items()
        if sum(other["family"] == entry["family"] for other in entries.values()) > 1
    ]


def limited(cells: Iterable[Cell], limits: list[dict]) -> list[Cell]:
    """The cells on these limits."""
    datasets = {member["dataset"] for member in limits}
    return [cell for cell in cells if cell.dataset in datasets]


def reported(study: dict, datasets: Iterable[str]) -> list[str]:
    """The data sets whose single figures are drawn: of several limits of one, the largest alone."""
    return list({study["datasets"][name]["family"]: name for name in datasets}.values())


def sliced(study: dict, datasets: Iterable[str]) -> list[str]:
    """The data sets whose test images are divided into slices."""
    return [name for name in datasets if study["datasets"][name]["slices"] or study["datasets"][name]["slices_table"]]
