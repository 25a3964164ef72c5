"""Classify images with the exported model beside this file: python example.py photo.jpg folder ...

It needs onnxruntime, Pillow and numpy. `image_reader/` holds the very code that the study read its images with: orientation, transparency,
values of more than 8 bits, crop or padding. model.onnx takes the pixels from there: it resizes, normalizes and calibrates by itself.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


class Model:
    """An exported model: `probabilities, features = model.answer(model.read([file, ...]))`."""

    def __init__(self, folder=Path(__file__).parent, threads=0):
        folder = Path(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # 0: all cores
        path = str(folder / "model.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.classes = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
        self.about = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))
        self.doubt = json.loads((folder / "confidence.json").read_text(encoding="utf-8"))
        self.reference = None
        if (folder / "reference.npy").exists():  # features of training images, each of length 1
            self.reference = np.load(folder / "reference.npy").astype(np.float32)

    def read(self, images):
        """(N, H, W, 3) uint8 of N files, their bytes, PIL images or uint8 arrays of any size, as the study stored its own."""
        from image_reader.stored import as_stored

        return np.stack([as_stored(image, self.about) for image in images])

    def answer(self, pixels):
        """Calibrated probabilities (N, C) and features (N, D) of stored pixels."""
        return self.session.run(["probabilities", "features"], {"images": pixels})

    def classes_with(self, probabilities):
        """For each image the names of the classes that hold the true one in as many cases as confidence.json says (90 %)."""
        bound = self.doubt["set"]["bound"]
        chosen = probabilities >= 1 - (
            np.inf if bound is None else bound
        )  # null: too few validation images to exclude any
        chosen[np.arange(len(chosen)), probabilities.argmax(1)] = True
        return [[self.classes[k] for k in np.argsort(-p, kind="stable") if c[k]] for p, c in zip(probabilities, chosen)]

    def distances(self, features):
        """How far each image is from the training images: the Euclidean distance to the k-th nearest, features being of length 1."""
        if self.reference is None or not features.shape[1]:
            return None
        features = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
        cosines = features @ self.reference.T
        kth = np.partition(cosines, -self.doubt["unlike"]["k"], axis=1)[:, -self.doubt["unlike"]["k"]]
        return np.sqrt(np.maximum(2 - 2 * kth, 0))


def main(paths):
    model = Model()
    files = []
    for path in map(Path, paths):
        files += sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGES) if path.is_dir() else [path]
    failed = 0
    for file in files:
        try:
            pixels = model.read([file])
        except Exception as error:  # Pillow's plug-ins raise many types on a corrupt file
            print(f"{file}: cannot be read: {error}", file=sys.stderr)
            failed += 1
            continue
        probabilities, features = model.answer(pixels)
        best = int(probabilities[0].argmax())
        possible = ", ".join(model.classes_with(probabilities)[0])
        far = model.distances(features)
        unlike = far is not None and far[0] > model.doubt["unlike"]["threshold"]
        print(f"{file}: {model.classes[best]} ({100 * probabilities[0, best]:.1f} %), 90 % set: {possible}", end="")
        print("  (unlike the training images)" if unlike else "")
    return 3 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
