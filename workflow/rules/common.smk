# What the rules share: the validated study, its grid, and the functions that answer for one job's wildcards.
# This file and the Snakefile import the package's ground floor only; a cluster parses them once per job.
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.iocontainers import Wildcards

sys.path.insert(0, str(Path(workflow.current_basedir) / "../scripts"))

from ftbench.base.code_digest import code_digest
from ftbench.base.digests import content_of, folder_listing
from ftbench.base.errors import InputError
from ftbench.study import grid, kinds, trials
from ftbench.study.commands import note_command
from ftbench.study.config import resolve
from ftbench.study.kinds import declared, names
from ftbench.study.paths import resume_folder, weights_tag

# --- the study -------------------------------------------------------------------------------------------------------

try:
    STUDY = resolve({key: value for key, value in config.items() if key != "pathvars"})
except InputError as error:
    raise WorkflowError(str(error))
# The report's text reads these two: a rehearsal has a name and seeds of its own.
config.update(study=STUDY["study"], seeds=STUDY["seeds"])

CELLS = grid.cells(STUDY)
DATASETS = list(dict.fromkeys(cell.dataset for cell in CELLS))
FLIPPED = [name for name in DATASETS if STUDY["datasets"][name]["flip"]]  # get test-time augmentation
LOOP, FEATURES = (
    [name for name, entry in STUDY["strategies"].items() if declared(entry["kind"])["engine"] == engine]
    for engine in ("loop", "features")
)
TRIALS = {name: {trial.name: trial for trial in trials.trials(STUDY, name)} for name in STUDY["strategies"]}
# Strategies that are one augmentation policy of several: {strategy: [name in the config, policy]}.
POLICY_FAMILIES = {
    name: [entry["family"], entry["recipe"]["augmentation"]]
    for name, entry in STUDY["strategies"].items()
    if entry["family"] != name
}
# The questions along one axis that this study asks: see axes.smk.
AXES = ("policies",) * bool(POLICY_FAMILIES)
AXES += ("activations",) * any(STUDY["backbones"][cell.backbone]["activation"] for cell in CELLS)
FIGURES = [
    "accuracy",
    "pareto",
    "learning_curves",
    "tuning",
    "confusion",
    "per_class",
    "mistakes",
    "montage",
    "augmentations",
    "reliability",
    "risk_coverage",
    "audit",
]
RUN = "<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}"
EFFICIENCY = "<results>/runs/{dataset}/{backbone}/efficiency.json"
TRANSFERABILITY = "<results>/features/{dataset}/{backbone}/transferability.json"
SELECTED = "<results>/tuning/{dataset}/{backbone}/{strategy}/selected.json"
WEIGHTS = "<resources>/weights/{source}/{model}.{tag}"
# What a job that runs a network asks for; a trial or final run asks for that of all its processes.
THREADS, GPUS = STUDY["threads"], 0 if STUDY["device"] == "cpu" else STUDY["gpus"]
RUN_THREADS, RUN_GPUS = (each * STUDY["gpus_per_run"] for each in (THREADS, GPUS))

# --- functions of wildcards ------------------------------------------------------------------------------------------


def any_of(values):
    """A regular expression that matches exactly these names, or nothing at all."""
    return "|".join(re.escape(str(value)) for value in values) or "(?!)"


# --- the grid, by parts ----------------------------------------------------------------------------------------------


def strategy_of(wildcards):
    return STUDY["strategies"][wildcards.strategy]


def get_kind(wildcards):
    return strategy_of(wildcards)["kind"]


def start_of(wildcards):
    """Where this cell starts: "random", "pretrained" or "probe"."""
    start = declared(strategy_of(wildcards)["kind"])["start"]
    has_weights = STUDY["backbones"][wildcards.backbone]["weights"] != "none"
    return {"any": "pretrained" if has_weights else "random"}.get(start, start)


def fine_tunes(cell):
    """Whether a cell trains a network from pretrained weights: a probe on frozen features does not."""
    return cell.strategy in LOOP and start_of(cell) != "random"


def places_of(cells):
    """Each data set and backbone of some cells, once."""
    return [
        {"dataset": dataset, "backbone": backbone} for dataset, backbone in dict.fromkeys(cell[:2] for cell in cells)
    ]


# Where a backbone is used at all, and where it is with pretrained weights.
PLACES = places_of(CELLS)
PRETRAINED = places_of(cell for cell in CELLS if start_of(cell) != "random")

# --- configuration entries of one job --------------------------------------------------------------------------------


def get_dataset(wildcards):
    """What prepares a data set: its entry, without what only later steps read."""
    entry = STUDY["datasets"][wildcards.dataset]
    later = ("validation_fraction", "train_limit", "flip", "urls", "md5", "exclude_test")
    settings = {key: value for key, value in entry.items() if key not in later}
    if entry["source"] == "imagefolder":
        settings["listing"] = folder_listing(entry["path"], entry["groups"])
    return settings


def get_split_settings(wildcards):
    entry = STUDY["datasets"][wildcards.dataset]
    return {key: entry[key] for key in ("validation_fraction", "train_limit", "split_seed")}


def get_network(wildcards):
    """The backbone's entry as a job builds it; random weights are normalized with the data set's own statistics."""
    entry = STUDY["backbones"][wildcards.backbone]
    network = {key: entry[key] for key in ("source", "model", "weights", "activation", "image_size", "mean", "std")}
    if "strategy" in wildcards.keys() and start_of(wildcards) == "random":
        network |= {"weights": "none", "mean": None, "std": None}
    return network


def get_augmentation(dataset, policy):
    """The policy, or its stand-in where the data set's images must not be mirrored."""
    return policy if STUDY["datasets"][dataset]["flip"] else declared(policy, "policies")["without_flip"]


def get_machine(wildcards):
    """The settings of any job that runs a network."""
    keys = ("device", "precision", "channels_last", "crop_kernels", "compile", "deterministic", "threads")
    return {"network": get_network(wildcards)} | {key: STUDY[key] for key in keys}


@planned
def get_run(wildcards):
    """The resolved settings of one training job, as one dict: Snakemake compares params as a set of bare values."""
    entry = strategy_of(wildcards)
    recipe = dict(entry["recipe"])
    recipe["augmentation"] = get_augmentation(wildcards.dataset, recipe["augmentation"])
    return get_machine(wildcards) | {
        "dataset": wildcards.dataset,
        "backbone": wildcards.backbone,
        "strategy": wildcards.strategy,
        "kind": entry["kind"],
        "seed": int(wildcards.get("seed", STUDY["tuning"]["seed"])),
        "selection_metric": STUDY["selection_metric"],
        "gpus_per_run": STUDY["gpus_per_run"],
        "recipe": recipe,
    }


@planned
def get_resume(wildcards, output):
    return resume_folder(output[0])


def get_selection(wildcards):
    """What the choice of a recipe depends on beside the trials: the fixed learning rate of an untuned strategy."""
    rate = strategy_of(wildcards)["learning_rate"]
    return get_run(wildcards) | {"learning_rate": None if isinstance(rate, list) else rate}


def get_trial(wildcards):
    return TRIALS[wildcards.strategy][wildcards.trial]


@planned
def get_trial_run(wildcards):
    run, trial = get_run(wildcards), get_trial(wildcards)
    return run | {"recipe": trials.shortened(run["recipe"], trial.share), "trial": trial._asdict()}


def get_promotion(wildcards):
    """How many trials reach the wildcards' rung, and by which score."""
    places, _ = trials.rungs(STUDY, wildcards.strategy)[int(wildcards.rung)]
    return {"places": places, "selection_metric": STUDY["selection_metric"]}


def get_probe_run(wildcards):
    return get_run(wildcards) | {"grid": strategy_of(wildcards)["grid"], "recipe": {}}


def get_cost_settings(wildcards):
    """The machine, and what each strategy runs on the wildcards' data set and backbone."""
    cells = []
    for cell in cells_on(wildcards):
        facts = declared(STUDY["strategies"][cell.strategy]["kind"])
        run = get_run(Wildcards(fromdict=cell._asdict())) if facts["engine"] == "loop" else None
        cells.append({"strategy": cell.strategy, "frozen": run is None or facts["start"] == "probe", "run": run})
    return {"run": get_machine(wildcards), "cells": cells}


def get_download(wildcards):
    """Where a torchvision set comes from, by the first entry of this name; its other keys are no business of a download."""
    entry = next(entry for entry in STUDY["datasets"].values() if entry["name"] == wildcards.name)
    return {key: entry[key] for key in ("source", "name", "urls", "md5")}


def get_weights_entry(wildcards):
    keys = ("source", "model", "weights", "image_size", "mean", "std", "licence")
    return next(
        {key: entry[key] for key in keys}
        for entry in STUDY["backbones"].values()
        if (entry["source"], entry["model"], weights_tag(entry["weights"]))
        == (wildcards.source, wildcards.model, wildcards.tag)
    )


def cells_on(wildcards):
    """The cells of the wildcards' data set and backbone."""
    return [cell for cell in CELLS if (cell.dataset, cell.backbone) == (wildcards.dataset, wildcards.backbone)]


# --- inputs ----------------------------------------------------------------------------------------------------------


def get_downloaded(wildcards):
    entry = STUDY["datasets"][wildcards.dataset]
    return f"<resources>/datasets/torchvision/{entry['name']}/files.json" if entry["source"] == "torchvision" else []


def weights_of(entry):
    """Where a backbone's weights lie, without a suffix."""
    return WEIGHTS.format(source=entry["source"], model=entry["model"], tag=weights_tag(entry["weights"]))


def weights_file(suffix):
    """An input function: the weights of the wildcards' backbone, or nothing where the cell starts from random ones."""

    def get(wildcards):
        entry = STUDY["backbones"][wildcards.backbone]
        if entry["weights"] == "none" or ("strategy" in wildcards.keys() and start_of(wildcards) == "random"):
            return []
        return weights_of(entry) + suffix

    return get


def weights_source(name):
    """An input function: the user's own file that weights are copied from, or file `name` of the run that they come from."""

    def get(wildcards):
        scheme, _, rest = get_weights_entry(wildcards)["weights"].partition(":")
        if scheme == "file" and name == "model.safetensors":
            return rest
        if scheme == "run":
            study, dataset, backbone, strategy, seed = rest.split("/")
            root = "<results>" if study == STUDY["study"] else f"<studies>/{study}"
            return f"{root}/runs/{dataset}/{backbone}/{strategy}/seed{seed.removeprefix('seed')}/{name}"
        return []

    return get


def get_all_downloads(wildcards):
    """The record of every download that the study's data sets came from."""
    published = {entry["name"] for entry in STUDY["datasets"].values() if entry["source"] == "torchvision"}
    return [f"<resources>/datasets/torchvision/{name}/files.json" for name in sorted(published)]


def get_all_weights_records(wildcards):
    """The record of all pretrained weights that a cell of the study starts from."""
    entries = [STUDY["backbones"][name] for name in dict.fromkeys(cell.backbone for cell in CELLS)]
    paths = [weights_of(entry) + ".json" for entry in entries if entry["weights"] != "none"]
    return list(dict.fromkeys(paths))


def get_normalization(wildcards):
    return "<results>/data/{dataset}/normalization.json" if start_of(wildcards) == "random" else []


@planned
def get_start(wildcards):
    """What a trial or run starts from, each file or nothing: one function, since every input function costs planning time."""
    start = start_of(wildcards)
    probe = "<results>/runs/{dataset}/{backbone}/%s/seed0" % strategy_of(wildcards)["probe"]
    files = {
        "weights": weights_file(".safetensors")(wildcards),
        "record": weights_file(".json")(wildcards),
        "normalization": get_normalization(wildcards),
        "probe_model": f"{probe}/model.safetensors" if start == "probe" else [],
        "probe_cost": f"{probe}/cost.json" if start == "probe" else [],
    }
    if "trial" in wildcards.keys():  # which trials reached its rung; nothing where that is the first
        rung = int(wildcards.trial.partition("rung")[2] or 0)
        path = f"<results>/tuning/{{dataset}}/{{backbone}}/{{strategy}}/rung{rung}.json"
        files["promoted"] = path if rung else []
    return files


def get_trials(wildcards):
    """Every trial of the wildcards' cell, or those below the wildcards' rung."""
    below = int(wildcards.rung) - 1 if "rung" in wildcards.keys() else None
    return [
        f"<results>/tuning/{{dataset}}/{{backbone}}/{{strategy}}/trial{trial.name}/trial.json"
        for trial in TRIALS[wildcards.strategy].values()
        if below in (None, trial.rung)
    ]


def seed_files(name, engine):
    """One file per seed of a cell, with the cell's wildcards left open."""
    seeds = [0] if engine == "features" else STUDY["seeds"]
    return expand(f"{RUN}/{name}", seed=seeds, allow_missing=True)


def flipped_files(engine):
    """An input function: the logits of a cell's mirrored test images, or nothing where they must not be mirrored."""

    def get(wildcards):
        return seed_files("test_logits_flipped.npz", engine) if wildcards.dataset in FLIPPED else []

    return get


def corrupted_seeds(engine):
    return [0] if engine == "features" else STUDY["seeds"][: STUDY["corruptions"]["seeds"]]


def corrupted_seed_files(name, engine):
    """One file per seed of a cell that sees corrupted images, with the cell's wildcards left open."""
    return expand(f"{RUN}/{name}", seed=corrupted_seeds(engine), allow_missing=True)


def get_corrupted_labels(wildcards):
    """Labels of every run of the study that sees corrupted images."""
    return [
        labels
        for labels in get_all_runs()
        if labels["seed"] in corrupted_seeds("features" if labels["strategy"] in FEATURES else "loop")
    ]


def corrupted_run_files(name):
    """An input function: one file per run that sees corrupted images."""

    def get(wildcards):
        return [f"{RUN}/{name}".format(**labels) for labels in get_corrupted_labels(wildcards)]

    return get


def get_corruption_settings(wildcards):
    """The machine, the conditions, and the kind of a strategy that is fitted on features."""
    conditions = {key: STUDY["corruptions"][key] for key in ("kinds", "severities", "images", "seed")}
    return {
        "run": get_machine(wildcards),
        "settings": conditions,
        "kind": get_kind(wildcards) if wildcards.strategy in FEATURES else None,
    }


def get_corruption_code(wildcards):
    """The digest of a prediction on corrupted images, with the architecture, and the kind of what is fitted on features."""
    source = STUDY["backbones"][wildcards.backbone]["source"]
    fitted = [kinds.module("strategies", get_kind(wildcards))] if wildcards.strategy in FEATURES else []
    return code_digest("predict_corrupted.py", kinds.module("architectures", source), *fitted)


def first_seeds(name):
    """An input function: a file of the first run of each cell of the wildcards' data set and backbone."""

    def get(wildcards):
        return [
            f"{RUN}/{name}".format(**cell._asdict(), seed=grid.seeds_of(STUDY, cell.strategy)[0])
            for cell in cells_on(wildcards)
        ]

    return get


def probes_on(wildcards):
    """The runs of the linear probes on the wildcards' data set: their probabilities judge its labels."""
    probes = [name for name, entry in STUDY["strategies"].items() if entry["kind"] == "linear_probe"]
    return [labels for labels in get_all_runs(wildcards.dataset) if labels["strategy"] in probes]


def probe_files(name):
    """An input function: a file of every linear probe on the wildcards' data set."""

    def get(wildcards):
        return [f"{RUN}/{name}".format(**labels) for labels in probes_on(wildcards)]

    return get


def get_probe_names(wildcards):
    return [f"{labels['strategy']} on {labels['backbone']}" for labels in probes_on(wildcards)]


def get_exclusions(wildcards):
    """Each data set's own list of test images to leave out of the clean-test table, with its content."""
    paths = {name: STUDY["datasets"][name]["exclude_test"] for name in DATASETS}
    return {name: {"path": path, "content": content_of(path)} for name, path in paths.items()}


def get_all_runs(dataset=None):
    """Labels of every run of the study, or of one data set, in the order of the tables."""
    return [
        {"dataset": cell.dataset, "backbone": cell.backbone, "strategy": cell.strategy, "seed": seed}
        for cell in CELLS
        if dataset in (None, cell.dataset)
        for seed in grid.seeds_of(STUDY, cell.strategy)
    ]


def run_files(name):
    """An input function: one file per run, of the wildcards' data set if there is one."""

    def get(wildcards):
        return [f"{RUN}/{name}".format(**labels) for labels in get_all_runs(wildcards.get("dataset"))]

    return get


def get_run_labels(wildcards):
    """The labels of `run_files`, in the same order: they travel as a parameter, so that no file name is parsed."""
    return get_all_runs(wildcards.get("dataset"))


def get_cell_labels(wildcards):
    """Labels of the study's, or the data set's, cells that have a selected.json."""
    return [cell._asdict() for cell in CELLS if wildcards.get("dataset", cell.dataset) == cell.dataset]


def get_selected(wildcards):
    return [SELECTED.format(**labels) for labels in get_cell_labels(wildcards)]


def get_families(wildcards):
    """Strategies that are one policy of several: {strategy: [name in the config, {data set: the policy that it gets there}]}."""
    return {
        name: [family, {dataset: get_augmentation(dataset, policy) for dataset in DATASETS}]
        for name, (family, policy) in POLICY_FAMILIES.items()
    }


def get_activity_labels(wildcards):
    """Labels of the cells whose silent units are counted: those of the training loop whose backbone names its activation."""
    return [
        {"labels": cell._asdict(), "activation": STUDY["backbones"][cell.backbone]["activation"]}
        for cell in CELLS
        if STUDY["backbones"][cell.backbone]["activation"] and cell.strategy in LOOP
    ]


def get_activity(wildcards):
    path = "<results>/activations/{dataset}/{backbone}/{strategy}.csv"
    return [path.format(**entry["labels"]) for entry in get_activity_labels(wildcards)]


def get_family_axes(wildcards):
    """The axes with the strategies under the names that the config gives them, before policies are told apart."""
    families = dict.fromkeys(entry["family"] for entry in STUDY["strategies"].values())
    return {"strategies": list(families), "backbones": list(STUDY["backbones"])}


def get_axes(wildcards):
    """All strategies and backbones in config order: a figure's colours and rows do not depend on what finished."""
    return {"strategies": list(STUDY["strategies"]), "backbones": list(STUDY["backbones"])}


def get_policies(wildcards):
    """The augmentation policies to picture for a data set: all of them, those that mirror only where it is allowed."""
    return list(dict.fromkeys(get_augmentation(wildcards.dataset, name) for name in names("policies")))


def get_all_tables():
    formats = {
        "csv html md tex": (
            "comparison",
            "cost",
            "recommendation",
            "win_tie_loss",
            "per_class",
            "confused",
            "clean_test",
            *AXES,
        ),
        "html md tex": ("calibration", "pairwise"),
        "html": ("protocol", "provenance"),
    }
    tables = [
        f"{name}.{suffix}" for suffixes, names in formats.items() for name in names for suffix in suffixes.split()
    ]
    tables += ["robustness.html"] if STUDY["corruptions"]["enabled"] else []
    tables += ["transferability.html"] if PRETRAINED else []
    return [*(f"<results>/tables/{table}" for table in tables), "<results>/study.json", "<results>/environment.json"]


def get_all_plots():
    own = expand("<results>/plots/{dataset}.{figure}.svg", dataset=DATASETS, figure=FIGURES)
    axes = expand("<results>/plots/{dataset}.{axis}.svg", dataset=DATASETS, axis=AXES)
    if STUDY["corruptions"]["enabled"]:
        own += expand("<results>/plots/{dataset}.robustness.svg", dataset=DATASETS)
    return [*own, *axes, "<results>/plots/critical_difference.svg"]


# --- priority and code -----------------------------------------------------------------------------------------------


@planned
def get_priority(wildcards):
    """How long a run takes beside the others: the images that it sees times their area, an epoch taken as 50,000.

    The longest start first, so that none is left over at the end when everything else is done. A trial counts double,
    since all runs of its cell wait for it.
    """
    size = STUDY["backbones"][wildcards.backbone]["image_size"]
    recipe = strategy_of(wildcards)["recipe"]
    if "trial" in wildcards.keys():
        recipe = trials.shortened(recipe, get_trial(wildcards).share)
    work = (recipe["examples"] or recipe["epochs"] * 50_000) * size * size
    return work * (2 if "trial" in wildcards.keys() else 1)


def code_of(script, *extra):
    """A params function: the digest of an entry script and of all code that it runs."""

    def get(wildcards):
        return code_digest(script, *extra)

    return get


def run_code_of(script):
    """The same, with the strategy, policy and architecture kinds of the wildcards' cell and no others."""

    @planned
    def get(wildcards):
        kind = strategy_of(wildcards)["kind"]
        policy = get_augmentation(wildcards.dataset, strategy_of(wildcards)["recipe"]["augmentation"])
        source = STUDY["backbones"][wildcards.backbone]["source"]
        return code_digest(
            script,
            kinds.module("strategies", kind),
            kinds.module("policies", policy),
            kinds.module("architectures", source),
        )

    return get


def get_cost_code(wildcards):
    """The same, with every strategy and policy of the wildcards' data set and backbone."""
    entries = [STUDY["strategies"][cell.strategy] for cell in cells_on(wildcards)]
    strategies = {kinds.module("strategies", entry["kind"]) for entry in entries}
    augmentations = {get_augmentation(wildcards.dataset, entry["recipe"]["augmentation"]) for entry in entries}
    policies = {kinds.module("policies", name) for name in augmentations}
    source = STUDY["backbones"][wildcards.backbone]["source"]
    return code_digest("measure_cost.py", kinds.module("architectures", source), *sorted(strategies | policies))


def feature_code_of(script):
    """The same for a strategy that is fitted on features: with its kind alone."""

    def get(wildcards):
        return code_digest(script, kinds.module("strategies", get_kind(wildcards)))

    return get


def source_code_of(script):
    """The same, with the image source of the wildcards' data set."""

    def get(wildcards):
        return code_digest(script, kinds.module("sources", STUDY["datasets"][wildcards.dataset]["source"]))

    return get


def network_code_of(script):
    """The same, with the architecture source of the wildcards' backbone."""

    def get(wildcards):
        source = wildcards.get("source") or STUDY["backbones"][wildcards.backbone]["source"]
        return code_digest(script, kinds.module("architectures", source))

    return get
