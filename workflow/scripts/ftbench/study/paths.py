"""Names of files that several rules agree on; the path grammar itself is written out in the rules.

A path in angle brackets, such as <results>, is a folder that the Snakefile names; {dataset} and the like are wildcards.
"""

import hashlib
from pathlib import Path

RUN = "<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}"
TUNING = "<results>/tuning/{dataset}/{backbone}/{strategy}"
SELECTED = f"{TUNING}/selected.json"
TUNED = f"{TUNING}<of_seed>"
OWN_SPLITS = "splits"  # the folder, in that of a data set, of the splits that single seeds have
# The parts of paths that change with the config's `splits`. Snakemake puts no constraint on a wildcard in them.
SPLIT_PATHS = {
    "shared": {"of_seed": "", "own_split": "split.npz", "fitted": "seed0"},
    "per_seed": {"of_seed": "/seed{seed}", "own_split": f"{OWN_SPLITS}/seed{{seed}}.npz", "fitted": "seed{seed}"},
}
SELECTED_OF_SEED = f"{TUNING}{SPLIT_PATHS['per_seed']['of_seed']}/selected.json"
OWN_SPLIT = f"<results>/data/{{dataset}}/{SPLIT_PATHS['per_seed']['own_split']}"
EFFICIENCY = "<results>/runs/{dataset}/{backbone}/efficiency.json"
TRANSFERABILITY = "<results>/features/{dataset}/{backbone}/transferability.json"
VIEWS = "<results>/features/{dataset}/{backbone}/{kind}-{policy}-{views}views"
ACTIVATIONS = "<results>/activations/{dataset}/{backbone}/{strategy}.csv"
NORMALIZATION = "<results>/data/{dataset}/normalization.json"
DOWNLOADED = "<resources>/datasets/{source}/{name}/files.json"
WEIGHTS = "<resources>/weights/{source}/{model}.{tag}"  # with .safetensors, and with .json their record


def weights_tag(weights: str) -> str:
    """The `<tag>` of resources/weights/<source>/<model>.<tag>.safetensors for a config's `weights` value.

    A library's tag stands for itself; pip:<package> becomes pip-<package>; file:<path> becomes the file's stem and eight
    hex digits of its path, so that two files of one name do not share a copy; run:<a>/<b> becomes run-<a>.<b>, since names may
    have a - of their own but no dot.
    """
    scheme, _, rest = weights.partition(":")
    if scheme == "file":
        return f"file-{Path(file_and_key(rest)[0]).stem}-{hashlib.sha256(rest.encode()).hexdigest()[:8]}"
    return weights.replace(":", "-").replace("/", "." if scheme == "run" else "-")


def weights_stem(entry: dict, resources: str | Path = "<resources>") -> str:
    """`WEIGHTS` of a backbone's entry of a config, below `resources`; it has source, model and weights."""
    stem = WEIGHTS.format(source=entry["source"], model=entry["model"], tag=weights_tag(entry["weights"]))
    return stem.replace("<resources>", str(resources), 1)


def file_and_key(weights: str) -> tuple[str, str | None]:
    """("best.pth", "state_dict_ema") of file:best.pth#state_dict_ema: a file, and which of its state dicts is meant."""
    path, _, key = weights.removeprefix("file:").partition("#")
    return path, key or None


def run_of_weights(weights: str) -> tuple[str, str]:
    """("demo", "runs/digits/small/scratch/seed0") of run:demo/digits/small/scratch/0: a study, and the run's folder in it."""
    owner, *cell, seed = weights.removeprefix("run:").split("/")
    return owner, "/".join(["runs", *cell, f"seed{seed.removeprefix('seed')}"])


def resume_folder(output: str | Path) -> str:
    """The folder of the unfinished state of the job that makes `output`, its first file: a sibling that no rule declares."""
    return f"{output}.resume"
