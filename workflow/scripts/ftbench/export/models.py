"""A model that answers for a user's images: an exported folder, or a finished run of a study."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.data.decode.stored import as_stored
from ftbench.export import doubt
from ftbench.export.finished import Finished, is_run
from ftbench.export.packages import need
from ftbench.study import kinds

FILES = ("model.onnx", "classes.json", "preprocessing.json", "confidence.json")


@dataclass
class Neighbours:
    """The training images that `Model.reference` has features of: classes (M,), and their pictures where those are at hand."""

    labels: np.ndarray
    images: np.ndarray | None  # stored pixels (K, H, W, 3)
    rows: np.ndarray  # (M,) where each has its picture in `images`


@dataclass
class Model:
    """What predicts: `answer` gives probabilities (N, C) and features (N, D) of stored pixels (N, H, W, 3) uint8."""

    name: str
    classes: list[str]
    about: dict  # how images are stored: size, range, source (fit, max_pixels)
    confidence: dict  # as confidence.json
    validation: tuple | None  # logits, labels and ids of the validation images; None if it was exported without them
    reference: (
        np.ndarray | None
    )  # features of training images, of length 1, in float32: a cast for every answer took longer than the network
    answer: object
    neighbours: Neighbours | None = None
    network: object = None  # () -> ftbench.export.complete.Complete, the network in torch; None if it is not known

    def pixels(self, image) -> np.ndarray:
        """One image (H, W, 3) uint8 as the study stored its own; raises what `ftbench.data.decode.stored.as_stored` raises."""
        return as_stored(image, self.about)

    def distances(self, features: np.ndarray) -> np.ndarray | None:
        """(N,) distance to the training images, None if it is not known for this model."""
        if self.reference is None or not features.shape[1]:
            return None
        return doubt.distances(features, self.reference, self.confidence["unlike"]["k"])


def load(place: str | Path, threads: int | None = None) -> Model:
    """The model in a folder that `ftbench export` wrote, or of a run, results/<study>/runs/<dataset>/<backbone>/<strategy>/seed<k>.

    Raises InputError if it is neither, and if the run has no network.
    """
    folder = Path(place)
    if is_run(folder):
        return _of_run(Finished(folder), threads)
    missing = [name for name in FILES if not (folder / name).exists()]
    if missing:
        raise InputError(
            f"MODEL: {folder} has no {missing[0]}; give a folder that `ftbench export` wrote, or that of a finished run, "
            "results/<study>/runs/<dataset>/<backbone>/<strategy>/seed<k>."
        )
    return _exported(folder, threads)


def _exported(folder: Path, threads: int | None) -> Model:
    onnxruntime = need("A model in ONNX", "onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    # Threads that wait by spinning took most of the processor of a server that decodes images beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=providers)
    except Exception as error:
        raise InputError(f"{folder / 'model.onnx'} cannot be loaded: {str(error).splitlines()[0]}; export it again.") from error  # fmt: skip

    def answer(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, features = session.run(["probabilities", "features"], {"images": pixels})
        return probabilities, features

    def network():
        import torch

        torch.set_num_threads(1)  # it explains, beside answers in ONNX: threads of its own only waited for each other
        return complete_of(folder, about)

    about, reference = read_json(folder / "preprocessing.json"), folder / "reference.npy"
    run = about["run"]
    return Model(
        name=f"{run['strategy']} on {run['backbone']}, {run['dataset']}, {run['folder']}",
        classes=read_json(folder / "classes.json"),
        about=about,
        confidence=read_json(folder / "confidence.json"),
        validation=None,
        reference=np.load(reference).astype(np.float32) if reference.exists() else None,
        answer=answer,
        neighbours=_exported_neighbours(folder),
        network=network,
    )


def _exported_neighbours(folder: Path) -> Neighbours | None:
    labels, images = folder / "reference_labels.npy", folder / "reference_images.npy"
    if not labels.exists():
        return None
    known = np.load(labels)
    return Neighbours(known, np.load(images, mmap_mode="r") if images.exists() else None, np.arange(len(known)))


def complete_of(folder: Path, about: dict):
    """The network of an exported folder in torch, from model.safetensors. Raises InputError where that is not all of it."""
    from safetensors.torch import load_file

    from ftbench.export.complete import Complete
    from ftbench.model import backbones

    if not (folder / "model.safetensors").exists() or "network" not in about:
        raise InputError(
            f"{folder} has no model.safetensors with its description; export it again to see where it looked."
        )
    inside, entry = about["inside_the_graph"], about["network"]
    if kinds.declared(entry["kind"]).get("bank"):
        raise InputError("Nearest neighbours have no network of their own in an exported folder; serve the run itself.")
    statistics = {"mean": inside["mean"], "std": inside["std"], "options": entry.get("options")}
    entry = entry | {"image_size": inside["resize"][0]}
    backbone = backbones.build(entry, len(read_json(folder / "classes.json")), 0, None, statistics)
    state = load_file(folder / "model.safetensors")
    backbone.network.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    return Complete(backbone, tuple(about["size"])).eval()


def _of_run(run: Finished, threads: int | None) -> Model:
    """A run's network in torch. Its distances are known if the study kept features of the same, frozen, network."""
    import torch

    from ftbench.export import complete

    if threads:
        torch.set_num_threads(threads)
    record = run.read("run.json")
    network = complete.load(run)
    validation = run.logits("val")
    confidence = doubt.confidence(validation)
    reference, neighbours = None, None
    if kinds.declared(record["kind"])["engine"] == "features":
        reference, confidence["unlike"] = _cached_features(run, validation)
        rows = np.sort(np.load(run.split)["train"])
        labels, images = (np.load(run.data / f"{name}.npy", mmap_mode="r") for name in ("labels", "images"))
        neighbours = Neighbours(np.array(labels[rows]), images, rows)

    def answer(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            logits, features = network(torch.from_numpy(pixels))
        return doubt.probabilities(logits.numpy(), confidence["temperature"]), features.numpy()

    return Model(
        name="{2} on {1}, {0}".format(*run.cell) + f", {run.folder.name}",
        classes=run.read("classes.json", of_data=True),
        about=run.read("train.json", of_data=True),
        confidence=confidence,
        validation=validation,
        reference=reference,
        answer=answer,
        neighbours=neighbours,
        network=lambda: network,
    )


def _cached_features(run: Finished, validation: tuple) -> tuple[np.ndarray | None, dict | None]:
    """Features of training images from the study's cache, and the distance beyond which 5 % of the validation images lie."""
    path = run.features / "train.npy"
    if not path.exists():
        return None, None
    parts, features = np.load(run.split), np.load(path, mmap_mode="r")
    rows = np.sort(np.concatenate([parts["train"], parts["validation"]]))  # the order of the cache
    is_train = np.isin(rows, parts["train"])
    bank = doubt.unit(np.array(features[is_train])).astype(np.float16)
    k = min(doubt.K, len(bank))
    far = doubt.distances(np.array(features[np.isin(rows, validation[2])]), bank, k)
    return bank.astype(np.float32), {"k": k, "threshold": float(np.quantile(far, 1 - doubt.ALARMS))}
