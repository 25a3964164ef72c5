"""A study of photos from a folder, made in this process: prepared from files of several sizes, trained for an epoch, predicted, scored."""

from pathlib import Path

import numpy as np
import small
from PIL import Image

from ftbench.base.files import write_json
from ftbench.data.normalization import compute_normalization
from ftbench.data.prepare import prepare_test, prepare_train
from ftbench.data.split import split_dataset
from ftbench.evaluate.run_scores import evaluate
from ftbench.model.features import extract_features
from ftbench.predict.from_features import predict_from_features
from ftbench.predict.test_set import predict_test
from ftbench.study import config, settings
from ftbench.study.paths import weights_tag
from ftbench.train import run as training
from ftbench.train.fit_on_features import fit_on_features

SIZES = ((16, 16), (21, 16), (16, 25), (40, 30))  # width, height
CLASSES = ("bright", "dark", "striped")


def write_photos(folder: Path, counts: dict) -> None:
    """PNG and JPEG images of three classes, some of them turned by their EXIF, one with 16 bits and one that is transparent."""
    random = np.random.default_rng(0)
    for part, count in counts.items():
        for name, level in zip(CLASSES, (190, 60, 120)):
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(count):
                width, height = SIZES[number % len(SIZES)]
                pixels = random.normal(level, 40, (height, width, 3))
                if name == "striped":
                    pixels[::2] += 90
                image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
                exif = image.getexif()
                exif[0x0112] = number % 8 + 1
                kind = ("png", "jpg")[number % 2]
                if number == 4:
                    image = image.convert("RGBA")
                    image.putalpha(100)
                image.save(place / f"{number:02d}.{kind}", exif=exif)


class Study:
    """`results` is the folder of the study; `train(kind)` adds a run and returns its folder."""

    def __init__(self, root: Path):
        self.root, self.results = root, root / "results" / "photos"
        write_photos(root / "photos", {"train": 24, "test": 10})
        given = {"source": "imagefolder", "path": str(root / "photos"), "image_size": 16, "validation_fraction": 0.5}
        self.study = config.resolve(
            {
                "study": "photos",
                "seeds": [0],
                "device": "cpu",
                "threads": 1,
                "datasets": {"photos": given},
                "backbones": {"resnet8": {"source": "ftbench", "model": "resnet8", "image_size": 12}},
                "training": small.TRAINING,
                "strategies": {kind: {"kind": kind} for kind in ("scratch", "lora", "linear_probe", "knn")},
            }
        )
        self.data = self.results / "data" / "photos"
        self.data.mkdir(parents=True)
        self._prepare()
        self.weights = small.weights(root)

    def path(self, name: str) -> str:
        return str(self.data / name)

    def _prepare(self) -> None:
        folder, wanted = str(self.root / "photos"), settings.prepare(self.study, "photos")
        prepare_train(
            wanted, folder, self.path("images.npy"), self.path("labels.npy"), self.path("groups.npy"),
            self.path("classes.json"), self.path("files.csv"), self.path("train.json"),
        )  # fmt: skip
        prepare_test(
            wanted, folder, self.path("classes.json"), self.path("test_images.npy"), self.path("test_labels.npy"),
            self.path("test_files.csv"), self.path("test.json"), train=self.path("train.json"),
        )  # fmt: skip
        split_dataset(
            self.path("labels.npy"), self.path("groups.npy"), self.path("train.json"), settings.split(self.study, "photos"),
            self.path("split.npz"), self.path("classes.json"),
        )  # fmt: skip
        compute_normalization(self.path("images.npy"), self.path("split.npz"), self.path("normalization.json"))

    def train(self, kind: str, backbone: str = "resnet8", network: dict | None = None, **recipe) -> Path:
        """Add a run of `backbone`, whose entry is the ResNet-8's with what `network` changes; random weights stay random ones."""
        folder = self.results / "runs" / "photos" / backbone / kind / "seed0"
        network, given = self.study["backbones"]["resnet8"] | {"weights": "none"} | (network or {}), network
        network = {key: network[key] for key in settings.NETWORK}
        run = small.run(kind, recipe={"epochs": 4} | recipe, network=network, dataset="photos", backbone=backbone)
        inputs = {"images": self.path("images.npy"), "split": self.path("split.npz"), "probe": None}
        inputs |= {"weights": None, "record": None, "normalization": self.path("normalization.json")}
        if kind != "scratch" and given is None:
            run["network"]["weights"] = "file:weights.safetensors"
            inputs |= {key: self.weights[key] for key in ("weights", "record")} | {"normalization": None}
            self._keep_weights(run["network"])
        if kind in ("linear_probe", "knn"):
            self._fit(run | {"grid": [0.01] if kind == "linear_probe" else [5]}, folder)
        else:
            chosen = small.selected(self.root / f"{kind}.json", run["recipe"])
            training.train(run=run, code="c", inputs=inputs, recipe=chosen, **small.outputs(folder))
            predict_test(
                run, self.path("test_images.npy"), self.path("test_labels.npy"), self.path("classes.json"),
                [str(folder / "run.json")], [str(folder / "model.safetensors")], [str(folder / "test_logits.npz")],
            )  # fmt: skip
        files = (folder / name for name in ("test_logits.npz", "val_logits.npz", "run.json"))
        evaluate(*files, self.path("classes.json"), folder / "metrics.json")
        return folder

    def _keep_weights(self, network: dict) -> None:
        """Where the workflow keeps pretrained weights."""
        place = self.root / "resources" / "weights" / "ftbench"
        place.mkdir(parents=True, exist_ok=True)
        for key in ("weights", "record"):
            source = Path(self.weights[key])
            (place / f"resnet8.{weights_tag(network['weights'])}{source.suffix}").write_bytes(source.read_bytes())

    def _fit(self, run: dict, folder: Path) -> None:
        features = self.results / "features" / "photos" / "resnet8"
        features.mkdir(parents=True, exist_ok=True)
        weights, record = self.weights["weights"], self.weights["record"]
        for part, images, split in (("train", "images.npy", self.path("split.npz")), ("test", "test_images.npy", None)):
            extract_features(
                run, self.path(images), weights, record, str(features / f"{part}.npy"), str(features / f"{part}.json"), split
            )  # fmt: skip
        paths = small.outputs(folder) | {"selected": str(folder / "selected.json")}
        del paths["resume"]
        fit_on_features(
            run=run, code="c" * 16, features=str(features / "train.npy"), features_cost=str(features / "train.json"),
            labels=self.path("labels.npy"), split=self.path("split.npz"), classes=self.path("classes.json"),
            data=self.path("train.json"), record=record, **paths,
        )  # fmt: skip
        predict_from_features(
            run["kind"], str(features / "test.npy"), [str(folder / "model.safetensors")], self.path("test_labels.npy"),
            [str(folder / "test_logits.npz")],
        )  # fmt: skip

    def recommend(self, strategy: str) -> None:
        """The line that --recommended reads."""
        table = self.results / "tables" / "recommendation.csv"
        table.parent.mkdir(exist_ok=True)
        table.write_text(f"dataset,best_backbone,best_strategy\nphotos,resnet8,{strategy}\n")


def forget(path: Path, **changes) -> None:
    """Write a JSON file anew with some keys changed."""
    from ftbench.base.files import read_json

    write_json(path, read_json(path) | changes)
