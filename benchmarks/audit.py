"""What the audit finds of faults that were planted in real images: the figures of docs/audit.md.

    python benchmarks/audit.py --images IMAGES.npy --labels LABELS.npy [--features FEATURES.npy ...] [--pairs PAIRS.csv] [--count N]

IMAGES holds (N, H, W, 3) uint8 and LABELS (N,) integers, such as a study leaves in data/<dataset>; FEATURES (N, D) those of pretrained
backbones, a file of each. Of `--count` random images, `--planted` of each kind get a copy: as it is, re-encoded as JPEG of quality 50 to 90, mirrored, both, or
shifted by up to an eighth of the side with the edge repeated. Recall is the share of copies in the cluster of their source. Precision
is the share, of all pairs with a copy in them, whose other image is in the cluster of the copy's source. PAIRS is a list of known near
duplicates with the columns a, b, rows of IMAGES, all of which are among the images. With features, labels are changed at random, uniformly or from each class
to the next one, and ranked; the figure is the share of them among as many as were changed, ranked worst.
Without --images it makes pictures of its own, which says that it runs and nothing of its quality. Results go to results/bench_audit.json.
"""

import csv
import io
import itertools
import resource
import time
from pathlib import Path

from _common import out_of, parser  # isort: skip
import numpy as np
from PIL import Image

from ftbench.base.files import write_json
from ftbench.data.duplicates import alignment, candidates
from ftbench.data.duplicates.find import Pairs, byte_digests, clusters, find_duplicates
from ftbench.measure.audit.labels import judge, ranking

KINDS = ("copied", "re-encoded", "mirrored", "mirrored and re-encoded", "shifted")
NOISE = (0.01, 0.05, 0.20)


def picture_file(image: np.ndarray, quality: int) -> np.ndarray:
    """An image after a JPEG file of this quality."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def copy_of(image: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    if "mirrored" in kind:
        image = np.ascontiguousarray(image[:, ::-1])
    if "re-encoded" in kind:
        image = picture_file(image, int(rng.integers(50, 91)))
    if kind == "shifted":
        most = np.array(image.shape[:2]) // 8
        moves = sorted(itertools.product(*(range(-side, side + 1) for side in most)), key=lambda move: move != (0, 0))
        down, right = moves[rng.integers(1, len(moves))]
        padded = np.pad(image, ((most[0],) * 2, (most[1],) * 2, (0, 0)), mode="edge")
        top, left = most + (down, right)
        image = padded[top : top + image.shape[0], left : left + image.shape[1]]
    return image


def small_pictures(count: int, rng: np.random.Generator) -> np.ndarray:
    total = sum(rng.normal(0, 35, (count, n, n, 3)).repeat(32 // n, axis=1).repeat(32 // n, axis=2) for n in (2, 4, 8))
    return np.clip(128 + total + rng.normal(0, 10, total.shape), 0, 255).astype(np.uint8)


def planted_copies(images: np.ndarray, labels: np.ndarray, known: np.ndarray, planted: int, thorough: bool) -> dict:
    """Recall by kind, precision, and what the search took, on `images` with copies added; `known` (K, 2) are pairs of their rows."""
    rng = np.random.default_rng(0)
    sources = rng.permutation(len(images))[: planted * len(KINDS)]
    kinds = np.arange(len(sources)) % len(KINDS)
    copies = np.stack([copy_of(images[row], KINDS[kind], rng) for row, kind in zip(sources, kinds)])
    everything = np.concatenate([images, copies])
    begun, used = time.perf_counter(), time.process_time()
    small = alignment.reduced(everything, np.arange(len(everything)))
    digests = byte_digests(everything, range(len(everything)))
    pairs = find_duplicates(small, digests, np.concatenate([labels, labels[sources]]), True, thorough=thorough)
    took = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - used}
    cluster = clusters(len(everything), pairs)
    found = cluster[len(images) :] == cluster[sources]
    return {
        "images": len(everything),
        "search": "the audit's, without features" if thorough else "the split's",
        "recall": {name: float(found[kinds == number].mean()) for number, name in enumerate(KINDS)},
        "precision_of_pairs_with_a_copy": _precision(pairs, cluster, sources, len(images)),
        "known_pairs": len(known),
        "known_recall": float((cluster[known[:, 0]] == cluster[known[:, 1]]).mean()) if len(known) else None,
        **took,
    }


def _precision(pairs: Pairs, cluster: np.ndarray, sources: np.ndarray, count: int) -> float | None:
    with_copy = pairs.b >= count  # copies come last, so the second of a pair is one
    home = cluster[sources[pairs.b[with_copy] - count]]
    return float((cluster[pairs.a[with_copy]] == home).mean()) if with_copy.any() else None


def planted_labels(features: dict[str, np.ndarray], labels: np.ndarray) -> list[dict]:
    """Shares of changed labels among as many that are ranked worst, for each share of noise, uniform and from class to class."""
    rows = []
    classes = int(labels.max()) + 1
    for form in ("uniform", "to the next class"):
        for share in NOISE:
            rng = np.random.default_rng(0)
            changed = rng.permutation(len(labels))[: max(1, round(share * len(labels)))]
            given = labels.copy()
            steps = rng.integers(1, classes, len(changed)) if form == "uniform" else 1
            given[changed] = (given[changed] + steps) % classes
            begun = time.perf_counter()
            judged = judge({name: (own, None) for name, own in features.items()}, given, np.arange(len(given)), classes)
            worst = ranking(given, judged.train)[: len(changed)]
            rows.append(
                {
                    "noise": form,
                    "share": share,
                    "judged_by": judged.said,
                    "found": float(np.isin(worst, changed).mean()),
                    "probe_accuracy_on_true_labels": float((judged.train.argmax(axis=1) == labels).mean()),
                    "images": len(labels),
                    "seconds": time.perf_counter() - begun,
                }
            )
    return rows


def feature_search(count: int, dimension: int) -> dict:
    """The time of the exact candidate search among random features."""
    vectors = candidates.unit(np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32))
    begun, used = time.perf_counter(), time.process_time()
    candidates.within(vectors, vectors, np.full(count, 0.9, np.float32))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    took = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - used}
    return {"images": count, "dimension": dimension, **took, "peak_gb": peak}


def known_pairs(path: Path | None) -> np.ndarray:
    if path is None:
        return np.empty((0, 2), np.int64)
    with path.open(newline="", encoding="utf-8") as stream:
        return np.array([(int(line["a"]), int(line["b"])) for line in csv.DictReader(stream)], np.int64)


def main() -> None:
    options = parser(__doc__, out="bench_audit.json")
    for name in ("images", "labels", "pairs"):
        options.add_argument(f"--{name}", type=Path)
    options.add_argument("--features", type=Path, nargs="+")
    options.add_argument(
        "--count", type=int, default=5000, help="random images beside those of --pairs (default: %(default)s)"
    )
    options.add_argument("--planted", type=int, default=500, help="copies of each kind (default: %(default)s)")
    options.add_argument(
        "--search", type=int, nargs=2, default=None, metavar=("N", "D"), help="time a search of N × D features"
    )
    arguments = options.parse_args()
    rng = np.random.default_rng(0)
    if arguments.images:
        images, labels = np.load(arguments.images, mmap_mode="r"), np.load(arguments.labels)
        known, count, planted = known_pairs(arguments.pairs), arguments.count, arguments.planted
    else:
        images, labels, known, planted = small_pictures(60, rng), np.arange(60) % 2, known_pairs(None), 2
        count = 60
    rows = np.unique(np.concatenate([known.ravel(), rng.permutation(len(images))[:count]]))
    chosen, own = np.asarray(images[rows]), np.searchsorted(rows, known)
    made = {"duplicates": [planted_copies(chosen, labels[rows], own, planted, thorough) for thorough in (False, True)]}
    if arguments.features:
        features = {path.stem: np.load(path) for path in arguments.features}
        known = [np.isfinite(own).all(axis=1) for own in features.values()]  # rows without features are NaN
        kept = np.flatnonzero(np.all(known, axis=0))
        made["labels"] = planted_labels({name: own[kept] for name, own in features.items()}, labels[kept])
    elif not arguments.images:
        made["labels"] = planted_labels({"made": 4 * np.eye(2)[labels] + rng.normal(size=(60, 2))}, labels)
    if arguments.search or arguments.quick:
        made["feature_search"] = feature_search(*(arguments.search or (500, 16)))
    for name, found in made.items():
        print(name, *(found if isinstance(found, list) else [found]), sep="\n  ")
    write_json(out_of(arguments), made)


if __name__ == "__main__":
    main()
