"""A few images in the archive layout of each data set that torchvision reads: `build(name, root)` writes the archives.

Every train part has the labels TRAIN (those of an official validation part are the last ones), every test part TEST.
"""

import bz2
import gzip
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from ftbench.base.digests import md5_of_file

TRAIN, VALIDATION, TEST = [0, 1, 0, 1, 1, 0], 2, [1, 0, 1]  # VALIDATION: how many of TRAIN an official part holds
OFFICIAL = len(TRAIN) - VALIDATION


def _pixels(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def _encoded(number: int, format: str, size: int = 10) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(_pixels(number + 1, size)[number]).save(stream, format)
    return stream.getvalue()


def _tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def _zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _mat(**arrays) -> bytes:
    stream = io.BytesIO()
    savemat(stream, arrays)
    return stream.getvalue()


def cifar10(root: Path) -> None:
    parts = np.array_split(TRAIN, 5)
    batches = {f"data_batch_{number + 1}": part.tolist() for number, part in enumerate(parts)} | {"test_batch": TEST}
    members = {"batches.meta": {"label_names": ["plane", "car"]}}
    for name, labels in batches.items():
        members[name] = {"data": _pixels(len(labels), 32).reshape(len(labels), -1), "labels": labels}
    content = {f"cifar-10-batches-py/{name}": pickle.dumps(value, 2) for name, value in members.items()}
    _tar(root / "cifar-10-python.tar.gz", content)


def cifar100(root: Path) -> None:
    members = {"meta": {"fine_label_names": ["apple", "bear"], "coarse_label_names": ["beast", "fruit"]}}
    for name, labels in {"train": TRAIN, "test": TEST}.items():
        members[name] = {"data": _pixels(len(labels), 32).reshape(len(labels), -1), "fine_labels": labels}
        members[name]["coarse_labels"] = [1 - label for label in labels]
    content = {f"cifar-100-python/{name}": pickle.dumps(value, 2) for name, value in members.items()}
    _tar(root / "cifar-100-python.tar.gz", content)


def mnist(root: Path) -> None:
    for prefix, labels in {"train": TRAIN, "t10k": TEST}.items():
        images = _pixels(len(labels), 28)[..., 0]
        header = b"".join(value.to_bytes(4, "big") for value in (0x803, *images.shape))
        (root / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + images.tobytes()))
        header = b"".join(value.to_bytes(4, "big") for value in (0x801, len(labels)))
        (root / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + bytes(labels)))


def usps(root: Path) -> None:
    for file, labels in {"usps.bz2": TRAIN, "usps.t.bz2": TEST}.items():
        values = " ".join(f"{index + 1}:{index / 128 - 1}" for index in range(256))
        (root / file).write_bytes(bz2.compress("".join(f"{label + 1} {values}\n" for label in labels).encode()))


def svhn(root: Path) -> None:
    for part, labels in {"train": TRAIN, "test": TEST}.items():
        images = _pixels(len(labels), 32).transpose(1, 2, 3, 0)
        published = np.array([[label or 10] for label in labels], np.uint8)  # SVHN writes 10 for the digit 0
        (root / f"{part}_32x32.mat").write_bytes(_mat(X=images, y=published))


def stl10(root: Path) -> None:
    members = {"class_names.txt": b"airplane\nbird\n", "unlabeled_X.bin": b"", "fold_indices.txt": b""}
    for part, labels in {"train": TRAIN, "test": TEST}.items():
        members[f"{part}_X.bin"] = _pixels(len(labels), 96).tobytes()
        members[f"{part}_y.bin"] = bytes(label + 1 for label in labels)
    _tar(root / "stl10_binary.tar.gz", {f"stl10_binary/{name}": content for name, content in members.items()})


def gtsrb(root: Path) -> None:
    train = {}
    for number, label in enumerate(sorted(TRAIN)):
        # frames 0 and 1 of a track, then the next track
        train[f"GTSRB/Training/{label:05d}/{number // 2:05d}_{number % 2:05d}.ppm"] = _encoded(
            number, "PPM", 10 + number
        )
    _zip(root / "GTSRB-Training_fixed.zip", train)
    test = {f"GTSRB/Final_Test/Images/{number:05d}.ppm": _encoded(number, "PPM") for number in range(len(TEST))}
    _zip(root / "GTSRB_Final_Test_Images.zip", test)
    rows = "".join(f"{number:05d}.ppm;{label}\n" for number, label in enumerate(TEST))
    _zip(root / "GTSRB_Final_Test_GT.zip", {"GT-final_test.csv": f"Filename;ClassId\n{rows}".encode()})


def flowers(root: Path) -> None:
    labels = TRAIN + TEST
    _tar(root / "102flowers.tgz", {f"jpg/image_{n + 1:05d}.jpg": _encoded(n, "JPEG") for n in range(len(labels))})
    (root / "imagelabels.mat").write_bytes(_mat(labels=np.array([[label + 1 for label in labels]])))
    ids = np.arange(1, len(labels) + 1)[None]
    parts = {"trnid": ids[:, :OFFICIAL], "valid": ids[:, OFFICIAL : len(TRAIN)], "tstid": ids[:, len(TRAIN) :]}
    (root / "setid.mat").write_bytes(_mat(**parts))


def pets(root: Path) -> None:
    breeds = ("Abyssinian", "great_pyrenees")
    names = [f"{breeds[label]}_{number}" for number, label in enumerate(TRAIN + TEST)]
    _tar(root / "images.tar.gz", {f"images/{name}.jpg": _encoded(n, "JPEG") for n, name in enumerate(names)})
    lines = [f"{name} {label + 1} {label + 1} 1\n" for name, label in zip(names, TRAIN + TEST)]
    parts = {"trainval": lines[: len(TRAIN)], "test": lines[len(TRAIN) :]}
    _tar(root / "annotations.tar.gz", {f"annotations/{part}.txt": "".join(p).encode() for part, p in parts.items()})


def dtd(root: Path) -> None:
    names = [f"{('banded', 'dotted')[label]}/{number}.jpg" for number, label in enumerate(TRAIN + TEST)]
    parts = {"train": names[:OFFICIAL], "val": names[OFFICIAL : len(TRAIN)], "test": names[len(TRAIN) :]}
    members = {f"dtd/labels/{part}1.txt": "\n".join(lines).encode() for part, lines in parts.items()}
    members |= {f"dtd/images/{name}": _encoded(number, "JPEG") for number, name in enumerate(names)}
    _tar(root / "dtd-r1.0.1.tar.gz", members)


def aircraft(root: Path) -> None:
    variants = ("707-320", "A300 B4")
    lines = [f"{number:07d} {variants[label]}\n" for number, label in enumerate(TRAIN + TEST)]
    parts = {"trainval": lines[: len(TRAIN)], "test": lines[len(TRAIN) :]}
    members = {f"images_variant_{part}.txt": "".join(text).encode() for part, text in parts.items()}
    members |= {"variants.txt": "\n".join(variants).encode()}
    members |= {f"images/{number:07d}.jpg": _encoded(number, "JPEG") for number in range(len(lines))}
    content = {f"fgvc-aircraft-2013b/data/{name}": value for name, value in members.items()}
    _tar(root / "fgvc-aircraft-2013b.tar.gz", content)


def food(root: Path) -> None:
    members = {}
    number = 0
    for part, labels in {"train": sorted(TRAIN), "test": sorted(TEST)}.items():
        listing = {"apple_pie": [], "waffles": []}
        for label in labels:
            name = f"{('apple_pie', 'waffles')[label]}/{number}"
            listing[name.split("/")[0]].append(name)
            members[f"food-101/images/{name}.jpg"] = _encoded(number, "JPEG")
            number += 1
        members[f"food-101/meta/{part}.json"] = json.dumps(listing).encode()
    _tar(root / "food-101.tar.gz", members)


def _folders(root: Path, archive: str, base: str, classes: tuple[str, str], format: str) -> None:
    members = {}
    for part, labels in {"train": TRAIN[:OFFICIAL], "valid": TRAIN[OFFICIAL:], "test": TEST}.items():
        for number, label in enumerate(labels):
            members[f"{base}/{part}/{classes[label]}/{number}.{format}"] = _encoded(
                number, format.replace("jpg", "jpeg")
            )
    _tar(root / archive, members)


def country(root: Path) -> None:
    _folders(root, "country211.tgz", "country211", ("AD", "AE"), "jpg")


def sst2(root: Path) -> None:
    _folders(root, "rendered-sst2.tgz", "rendered-sst2", ("negative", "positive"), "png")


BUILDERS = {
    "CIFAR10": cifar10,
    "CIFAR100": cifar100,
    "Country211": country,
    "DTD": dtd,
    "FGVCAircraft": aircraft,
    "FashionMNIST": mnist,
    "Flowers102": flowers,
    "Food101": food,
    "GTSRB": gtsrb,
    "KMNIST": mnist,
    "MNIST": mnist,
    "OxfordIIITPet": pets,
    "RenderedSST2": sst2,
    "STL10": stl10,
    "SVHN": svhn,
    "USPS": usps,
}


def build(name: str, root: Path) -> dict[str, str]:
    """Write the archives of a set below `root`; returns {file: md5}, as `md5` of a config has them."""
    root.mkdir(parents=True, exist_ok=True)
    before = set(root.iterdir())
    BUILDERS[name](root)
    return {path.name: md5_of_file(path) for path in sorted(set(root.iterdir()) - before)}
