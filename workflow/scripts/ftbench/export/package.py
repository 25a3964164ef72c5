"""A run's model as a folder that needs nothing of this project: `ftbench export`.

model.safetensors   the weights under their library's names      model.onnx           pixels in, calibrated probabilities out
preprocessing.json  how an image becomes pixels                  classes.json         the names, in the order of the outputs
confidence.json     thresholds, sets, distance of strange images reference.npy        features that distances are measured to
reference_labels.npy  the classes of these training images
parity.json         the proof, and every form's size and speed   README.md            the model card
example.py          onnxruntime, Pillow, numpy                   image_reader/        the code that the study reads images with
"""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from ftbench import __version__
from ftbench.base.errors import InputError
from ftbench.base.files import atomic_write, write_json, write_npy, write_text
from ftbench.export import card, complete, doubt, int8, onnx_file, parity
from ftbench.export.finished import Finished
from ftbench.export.packages import need

DTYPES = ("float32", "bfloat16", "int8")
PACKAGE = Path(__file__).parents[1]
# What reads an image as the study did, with what it imports.
READER = ("data/decode/stored", "data/decode/open_image", "data/decode/metadata", "data/decode/grey_range", "data/decode/fit", "base/errors", "base/given/image_names")  # fmt: skip
REFERENCE_IMAGES = 5000  # training images that distances are measured to
SEED = 20_240_229  # which of them, if there are more
FORMAT = 1


def export(run: Finished, out: Path, dtype: str, training_images: bool = False) -> dict:
    """Write the folder `out` and return parity.json. Raises InputError if the exported model does not answer as the study did.

    `training_images` adds reference_images.npy, the pictures that reference.npy was made from: it gives training images away.
    Then what was written is kept beside `out`, under its name and ".refused".
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"OUT: {out} exists already; name a new folder, or remove it first.")
    need("ftbench export", "onnxruntime", "onnx", "onnxscript")
    work = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    work.mkdir(parents=True)
    try:
        proof = _fill(run, work, dtype, training_images)
        if out.exists():
            out.rmdir()
        work.rename(out)
    except InputError:
        if (work / "parity.json").exists():
            refused = out.with_name(f"{out.name}.refused")
            shutil.rmtree(refused, ignore_errors=True)
            work.rename(refused)
            print(f"what was written is in {refused}")
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return proof


def _fill(run: Finished, out: Path, dtype: str, training_images: bool) -> dict:
    record, about = run.read("run.json"), run.read("train.json", of_data=True)
    validation, test = run.logits("val"), run.logits("test")
    network = complete.load(run)
    stored = tuple(about["size"])
    confidence = doubt.confidence(validation, test)
    write_json(out / "classes.json", run.read("classes.json", of_data=True))
    write_json(out / "preprocessing.json", _preprocessing(run, record, about, network, confidence))
    write_json(out / "confidence.json", confidence)
    _copy_code(out)
    print("writing model.onnx")
    onnx_file.write_onnx(complete.Calibrated(network, confidence["temperature"]).eval(), stored, out / "model.onnx")
    with parity.example_of(out) as example:
        model = example.Model(out)
        images = parity.TestImages(run)
        print(f"comparing {len(images.stored):,} test images with the study")
        found, features, others = parity.answers(model, images)
        expected, origin = parity.reference(run, record, network, test, confidence["temperature"])
        proof = _proof(images, found, expected, origin, others, dtype)
        proof["forms"] = [_form("float32", model, stored, out, found, found, test[1])]
        write_json(out / "parity.json", proof)
        parity.refuse(proof, images.files)
        confidence["unlike"] = _unlike(run, model, features, validation, stored, out)
        if dtype != "float32":
            _convert(run, out, dtype)
            model = example.Model(out)
            changed, features, _ = parity.answers(model, images)
            proof["forms"].append(_form(dtype, model, stored, out, changed, found, test[1]))
            write_json(out / "parity.json", proof)
            confidence = _of_form(run, model, validation, changed, test, confidence["temperature"])
            confidence["unlike"] = _unlike(run, model, features, validation, stored, out)
    write_json(out / "confidence.json", confidence)
    _write_weights(network, out / "model.safetensors", dtype)
    if training_images:
        _write_images(run, out)
    write_text(out / "README.md", card.text(run, record, about, confidence, proof))
    for notes in out.rglob(".written.jsonl"):
        notes.unlink()  # a folder for others needs none
    return proof


def _write_images(run: Finished, out: Path) -> None:
    if (out / "reference.npy").exists():
        rows = _some(np.load(run.split)["train"], REFERENCE_IMAGES)
        write_npy(out / "reference_images.npy", np.load(run.data / "images.npy", mmap_mode="r")[rows])


def _write_weights(network, path: Path, dtype: str) -> None:
    """model.safetensors, in bfloat16 if that was asked for; int8 is a form of the graph alone."""
    tensors = complete.state(network)
    if dtype == "bfloat16":
        tensors = {name: t.to(torch.bfloat16) if t.is_floating_point() else t for name, t in tensors.items()}
    with atomic_write(path, noted=False) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})


def _proof(images, found, expected, origin: str, others: int, dtype: str) -> dict:
    agreement = parity.compared(found, expected)
    return {
        **agreement,
        "dtype": dtype,
        "tolerance": parity.TOLERANCE,
        "compared_with": origin,
        "from_original_files": sum(file is not None for file in images.files),
        "from_stored_images": sum(file is None for file in images.files),
        "why_stored": images.why,
        "pixels_unlike_stored": others,
    }


def _form(dtype: str, model, stored, out: Path, found, float32, labels) -> dict:
    timing = parity.timed(model, stored) | {"bytes": (out / "model.onnx").stat().st_size, "cores": os.cpu_count()}
    return parity.row(dtype, found, float32, labels) | timing


def _of_form(run: Finished, model, validation: tuple, changed: np.ndarray, test: tuple, temperature: float) -> dict:
    """confidence.json of a smaller form, from its own probabilities: thresholds and sets of float32 would be another model's."""
    images = np.load(run.data / "images.npy", mmap_mode="r")
    own = np.concatenate([model.answer(part)[0] for part in _parts(images, validation[2])])
    logs = [np.log(np.maximum(p, 1e-12)) for p in (own, changed)]  # logits at temperature 1
    found = doubt.confidence((logs[0], *validation[1:]), (logs[1], *test[1:]), 1.0)
    return found | {"temperature": temperature}  # the one that is inside the graph


def _parts(images: np.ndarray, rows: np.ndarray):
    """The rows of a memory map, batch by batch."""
    return (np.array(images[rows[first : first + parity.BATCH]]) for first in range(0, len(rows), parity.BATCH))


def _convert(run: Finished, out: Path, dtype: str) -> None:
    """Replace model.onnx by its other form."""
    path, new = out / "model.onnx", out / "converted.onnx"
    if dtype == "bfloat16":
        onnx_file.store_as_bfloat16(path, new)
    else:
        rows = _some(np.load(run.split)["train"], int8.IMAGES)
        int8.quantize(path, new, np.load(run.data / "images.npy", mmap_mode="r")[rows])
    new.replace(path)


def _some(rows: np.ndarray, limit: int) -> np.ndarray:
    return np.sort(np.random.default_rng(SEED).permutation(rows)[:limit])


def _unlike(run: Finished, model, test: np.ndarray, validation: tuple, stored, out: Path) -> dict | None:
    """The distances of confidence.json, with reference.npy beside it; None if the network has no features."""
    if not test.shape[1]:
        return None
    images = np.load(run.data / "images.npy", mmap_mode="r")
    train = _some(np.load(run.split)["train"], REFERENCE_IMAGES)
    held = _some(validation[2], REFERENCE_IMAGES)

    def features(rows) -> np.ndarray:
        return np.concatenate([model.answer(part)[1] for part in _parts(images, rows)])

    print(f"measuring the distances of {len(train):,} training and {len(held):,} validation images")
    bank = doubt.unit(features(train)).astype(np.float16)
    write_npy(out / "reference.npy", bank)
    write_npy(out / "reference_labels.npy", np.load(run.data / "labels.npy")[train])
    strange = doubt.noise(stored)
    far = np.concatenate([model.answer(part)[1] for part in np.array_split(strange, max(1, len(strange) // parity.BATCH))])  # fmt: skip
    return doubt.unlike(bank, features(held), test, far)


def _preprocessing(run: Finished, record: dict, about: dict, network, confidence: dict) -> dict:
    """How an image becomes what model.onnx takes, and what happens inside of it."""
    dataset, backbone, strategy = run.cell
    return {
        "format": FORMAT,
        "made_by": f"finetune-bench {__version__}",
        "run": {"study": run.results.name, "dataset": dataset, "backbone": backbone, "strategy": strategy, "seed": record.get("seed"), "folder": run.folder.name},
        "model_file": record["digests"].get("model_file"),
        "size": about["size"],
        "range": about["range"],
        "source": {"fit": about["source"]["fit"], "max_pixels": about["source"]["max_pixels"]},
        "input": {"name": onnx_file.INPUT, "shape": ["batch", *about["size"], 3], "dtype": "uint8", "channels": "RGB"},
        "outputs": list(onnx_file.OUTPUTS),
        "opset": onnx_file.OPSET,
        "inside_the_graph": {
            "resize": [network.image_size] * 2,
            "resize_by": None if network.resize is None else "bilinear with antialiasing, as matrix products",
            **network.normalization,
            "temperature": confidence["temperature"],
        },
        "network": {key: value for key, value in record["network"].items() if key != "weights"} | {"kind": record["kind"], "options": network.options},
    }  # fmt: skip


def _copy_code(out: Path) -> None:
    """example.py, and the image reader: the package's own modules, with another name before them."""
    shutil.copy(Path(__file__).with_name("example.py"), out / "example.py")
    reader = out / "image_reader"
    reader.mkdir()
    write_text(reader / "__init__.py", '"""How the study read its images: needs Pillow and numpy alone."""\n')
    for name in READER:
        text = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
        text = re.sub(r"from ftbench\.(?:\w+\.)+(\w+) import", r"from image_reader.\1 import", text)
        write_text(reader / f"{Path(name).name}.py", text)
    shutil.copy(PACKAGE.parents[2] / "LICENSE", reader / "LICENSE")
