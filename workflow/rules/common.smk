# What the rules share: the validated study, its grid, and the functions that hand one job's wildcards to `ftbench.study`.
# This file and the Snakefile import the package's ground floor only; a cluster parses them once per job.
import functools
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

sys.path.insert(0, str(Path(workflow.current_basedir) / "../scripts"))

from ftbench.base.code_digest import code_digest
from ftbench.base.dates import bring_back
from ftbench.base.errors import InputError
from ftbench.base.kept import keep
from ftbench.study import cached_views, grid, inputs, kinds, reader, report_files, run_weights, settings, trials
from ftbench.study.config import resolve
from ftbench.study.downloads import download_of
from ftbench.study.driver.commands import hold, note_command
from ftbench.study.driver.copied import forced, refuse_other_settings
from ftbench.study.driver.interrupt import end_with_one_line
from ftbench.study.expand import fold_settings
from ftbench.study.paths import (
    DOWNLOADED,
    EFFICIENCY,
    NORMALIZATION,
    OWN_SPLIT,
    SPLIT_PATHS,
    TRANSFERABILITY,
    resume_folder,
    weights_tag,
)

# This process's answer to Ctrl-C. A workflow that uses this one as a module decides about its process itself.
if workflow.is_main_process and workflow.modifier.is_main_snakefile():
    end_with_one_line(logger)

# --- the study -------------------------------------------------------------------------------------------------------

try:
    for path in workflow.configfiles:
        reader.load(path)  # Snakemake's own reading keeps the second of two equal keys and knows no bounds
    STUDY = resolve({key: value for key, value in config.items() if key != "pathvars"})
    if workflow.is_main_process and not forced(sys.argv):
        refuse_other_settings(f"results/{STUDY['study']}", STUDY)
except InputError as error:
    raise WorkflowError(str(error))
# The report's text reads these: a rehearsal has a name, seeds and trials of its own, and defaults are filled in.
config.update({key: STUDY[key] for key in ("study", "seeds", "splits", "tuning")})

if workflow.is_main_process:
    future = bring_back([f"results/{STUDY['study']}", "resources"])
    if future:
        logger.warning(
            f"A clock was ahead: {len(future)} files were dated in the future, {future[0]} first of all; they are dated now."
        )

CELLS = grid.cells(STUDY)
DATASETS = list(dict.fromkeys(cell.dataset for cell in CELLS))
# Data sets that are tested in folds; in their place, the folds train. All that train: those folds and the data sets that have none.
FOLDED = inputs.folded(STUDY, DATASETS)
FOLDED_RUNS = inputs.runs(STUDY, [cell for cell in CELLS if cell.dataset in FOLDED])
TRAINED_CELLS = grid.trained(STUDY, CELLS)
TRAINED = list(dict.fromkeys(cell.dataset for cell in TRAINED_CELLS))
FOLDS = [name for name in TRAINED if STUDY["datasets"][name]["fold"]]
WHOLE = [name for name in TRAINED if name not in FOLDS]
LIMITS = inputs.limits(STUDY, DATASETS)
LIMITED_RUNS = inputs.runs(STUDY, inputs.limited(inputs.here(STUDY, CELLS), LIMITS))
# Those whose single figures are drawn and whose answer is given at length: of several limits of a data set, the largest.
REPORTED = inputs.reported(STUDY, DATASETS)
SLICED = inputs.sliced(STUDY, DATASETS)
SEALED = run_weights.sealed(STUDY, CELLS)
FLIPPED = [name for name in TRAINED if STUDY["datasets"][name]["flip"]]  # get test-time augmentation
NOT_FLIPPED = [name for name in TRAINED if name not in FLIPPED]
LOOP, FEATURES, MADE, GIVEN = (inputs.strategies(STUDY, engine) for engine in ("loop", "features", "runs", "given"))
TOGETHER = inputs.together(STUDY)  # of those made of finished runs: without a network of their own
# Those that run with every seed, and those that run once, as seed 0; of both, those that leave a whole network.
SEEDED = inputs.seeded(STUDY, STUDY["strategies"])
ONCE = [name for name in STUDY["strategies"] if name not in SEEDED]
NETWORKS, NETWORKS_ONCE = (
    [name for name in some if name in LOOP + MADE and name not in TOGETHER] for some in (SEEDED, ONCE)
)
SEEDS, SEED_0 = STUDY["seeds"], [0]
# The splits of seeds that have their own, with the data set left open.
OWN_SPLITS = inputs.own_splits(STUDY)
FITTED_SEEDS = SEEDS if grid.own_splits(STUDY) else SEED_0  # of what is fitted on features
TRIALS = {name: {trial.name: trial for trial in trials.trials(STUDY, name)} for name in STUDY["strategies"]}
# Where a backbone runs at all, and where it is with pretrained weights.
PLACES = inputs.places(inputs.here(STUDY, CELLS))
PRETRAINED = inputs.places(inputs.pretrained(STUDY, CELLS))
# All strategies and backbones in config order: a figure's colours and rows do not depend on what finished. Then the same with the
# strategies under the names that the config gives them, before policies are told apart.
AXES = {"strategies": list(STUDY["strategies"]), "backbones": grid.backbones(STUDY)}
FAMILIES = dict.fromkeys(entry["family"] for entry in STUDY["strategies"].values())
FAMILY_AXES = AXES | {"strategies": list(FAMILIES)}
if workflow.is_main_process and (absent := [name for name in config["strategies"] if name not in FAMILIES]):
    logger.warning(f"The rehearsal leaves out {', '.join(absent)}: it validates on other images than the study.")
# What a job that runs a network asks for; a trial or final run asks for that of all its processes.
THREADS, GPUS = STUDY["threads"], 0 if STUDY["device"] == "cpu" else STUDY["gpus"]
# Decoding images takes every core that this machine was given; on a cluster, where nobody has said how many, two, or what set-threads says.
DECODING_THREADS = workflow.resource_settings.cores or 2
RUN_THREADS, RUN_GPUS = (each * STUDY["gpus_per_run"] for each in (THREADS, GPUS))

# --- before the first job --------------------------------------------------------------------------------------------


def keep_endangered(dag):
    """Keep what training jobs are about to make again: Snakemake deletes it before they start, and they may be refused.

    A job that is forced is meant to run again.
    """
    for job in dag.needrun_jobs():
        if not job.is_group() and job.rule.name in ("train", "train_trial") and not dag.reason(job).forced:
            keep(job.output, resume_folder(job.output[0]))


# --- parts of the grid -----------------------------------------------------------------------------------------------


def any_of(values):
    """A regular expression that matches exactly these names, or nothing at all."""
    return "|".join(re.escape(str(value)) for value in values) or "(?!)"


def labelled(cells):
    return [cell._asdict() for cell in cells]


def cells_on(wildcards):
    """The cells of the wildcards' data set and backbone, or of all data sets and backbones if there are no such wildcards."""
    dataset, backbone = wildcards.get("dataset"), wildcards.get("backbone")
    some = TRAINED_CELLS if dataset in FOLDS else CELLS
    return [cell for cell in some if dataset in (None, cell.dataset) and backbone in (None, cell.backbone)]


def starts_random(wildcards):
    """Whether the wildcards' strategy, if there is one, starts from random weights whatever the backbone has."""
    return "strategy" in wildcards.keys() and settings.start(STUDY, wildcards) == "random"


def trial_of(wildcards):
    return TRIALS[wildcards.strategy][wildcards.trial] if "trial" in wildcards.keys() else None


# --- settings: the one dict that a job runs with ---------------------------------------------------------------------


def get_kind(wildcards):
    return STUDY["strategies"][wildcards.strategy]["kind"]


def get_download(wildcards):
    return settings.download(STUDY, wildcards.source, wildcards.name)


def get_dataset(wildcards):
    return prepared(wildcards.dataset)


@functools.cache  # a folder of 200,000 images is listed once for all jobs that read it
def prepared(dataset):
    return settings.prepare(STUDY, dataset)


def get_split_settings(wildcards):
    return settings.split(STUDY, wildcards.dataset)


def get_fold_settings(wildcards):
    return fold_settings(STUDY, wildcards.dataset)


def get_fold_number(wildcards):
    return STUDY["datasets"][wildcards.dataset]["fold"]


def get_own_split(wildcards):
    return settings.own_split(STUDY, wildcards.dataset, wildcards.seed)


def get_split_settings_without_drop(wildcards):
    return settings.split(STUDY, wildcards.dataset) | {"drop_label_issues": 0}


def get_judge(wildcards):
    return settings.machine(STUDY, inputs.judges(STUDY, cells_on(wildcards))[0])


def get_weights_entry(wildcards):
    return settings.weights(STUDY, wildcards.source, wildcards.model, wildcards.tag)


def get_machine(wildcards):
    return settings.machine(STUDY, wildcards.backbone, starts_random(wildcards))


@planned
def get_run(wildcards):
    return settings.run(STUDY, wildcards, wildcards.seed)


@planned
def get_trial_run(wildcards):
    return settings.trial_run(STUDY, wildcards, trial_of(wildcards), wildcards.get("seed"))


def get_promotion(wildcards):
    return settings.promotion(STUDY, wildcards.strategy, int(wildcards.rung))


def get_selection(wildcards):
    return settings.selection(STUDY, wildcards)


def get_probe_run(wildcards):
    return settings.probe_run(STUDY, wildcards, wildcards.get("seed"))


def get_cost_settings(wildcards):
    return settings.cost(STUDY, wildcards.backbone, cells_on(wildcards))


def get_corruption_settings(wildcards):
    return settings.corruption(STUDY, wildcards)


def get_exclusions(wildcards):
    return settings.exclusions(STUDY, DATASETS)


def get_slices(wildcards):
    return settings.slices(STUDY, wildcards.dataset)


def get_combined_run(wildcards):
    return settings.combined_run(STUDY, wildcards)


def get_given_run(wildcards):
    return settings.given_run(STUDY, wildcards)


def get_given_predictions(wildcards):
    return settings.predictions(STUDY, wildcards, "test")


@planned
def get_priority(wildcards):
    return settings.priority(STUDY, wildcards, trial_of(wildcards))


@planned
def get_resume(wildcards, output):
    return resume_folder(output[0])


# --- the code that a job runs ----------------------------------------------------------------------------------------


def code_of(script, *extra):
    """A params function: the digest of an entry script and of all code that it runs."""

    def get(wildcards):
        return code_digest(script, *extra)

    return get


def kind_code_of(script, *doors):
    """The same, with the kinds behind these doors that the wildcards' job loads by name, and no others."""

    @planned
    def get(wildcards):
        return code_digest(script, *settings.modules(STUDY, wildcards, *doors))

    return get


def get_weights_code(wildcards):
    return code_digest("fetch_weights.py", kinds.module("architectures", wildcards.source))


def get_cost_code(wildcards):
    """The same, with every strategy and policy of the wildcards' data set and backbone."""
    cells = cells_on(wildcards)
    loaded = {
        name for cell in cells for name in settings.modules(STUDY, cell, "strategies", "policies", "architectures")
    }
    return code_digest("measure_cost.py", *sorted(loaded))


def get_corruption_code(wildcards):
    """The same, with the architecture, and with the kind of what is fitted on features."""
    doors = ("architectures", "strategies") if wildcards.strategy in FEATURES else ("architectures",)
    return code_digest("predict_corrupted.py", *settings.modules(STUDY, wildcards, *doors))
