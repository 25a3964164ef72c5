"""How often the interval of "label more?" holds what more images then bring: linear probes on a finished study's cached features.

Class-balanced subsets are drawn anew each time; a curve through 1/16, 1/8, 1/4 and 1/2 of their images must hold the accuracy at all of
them, and one through 1/16, 1/8 and 1/4 as well (four times the images). The target is 90 % of the cases.

    python benchmarks/learning_curve.py results/cifar10_cpu cifar10 efficientnet_lite0

Found with EfficientNet-lite0 at 48 px, 15,000 training and 5,000 test images of a JPEG copy of CIFAR-10, 67 subsets, probes on 192
principal components: 24 of 24 at 64 images per class, 24 of 24 at 256, 19 of 19 at 1,024 for both curves; mean widths of the interval
14, 12 and 10 points for twice the images, 21, 17 and 14 for four times. A forerunner of this script measured it, and the share of luck in the
interval was set on these same subsets, so it is no independent check.
"""

from pathlib import Path

import numpy as np
import torch
from _common import out_of, parser

from ftbench.base.files import read_json, write_json
from ftbench.compare.learning_curve import extrapolate

SHARES = (16, 8, 4, 2, 1)
COMPONENTS = 192
PENALTY = 0.03  # of the squared weights, over the square root of the number of images


def read(study: Path, dataset: str, backbone: str) -> tuple[np.ndarray, ...]:
    """(features, labels) of training and of test images, as the study's jobs left them."""
    data, features = study / "data" / dataset, study / "features" / dataset / backbone
    parts = np.load(data / "split.npz")
    rows = np.sort(np.concatenate([parts["train"], parts["validation"]]))
    return (
        np.load(features / "train.npy").astype(np.float32),
        parts["labels"][rows],
        np.load(features / "test.npy").astype(np.float32),
        np.load(data / "test_labels.npy"),
    )


def invented() -> tuple[np.ndarray, ...]:
    """Ten Gaussian classes in the place of features."""
    generator = np.random.default_rng(0)
    centres = generator.normal(0, 1, (10, 32))
    labels = [np.arange(count) % 10 for count in (640, 400)]
    features = [(centres[each] + generator.normal(0, 2, (len(each), 32))).astype(np.float32) for each in labels]
    return features[0], labels[0], features[1], labels[1]


def whitened(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both on the leading principal components of `train`, each of variance 1."""
    mean = train.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(train.T))
    kept = min(COMPONENTS, train.shape[1])
    basis = vectors[:, -kept:] / np.sqrt(values[-kept:])
    return (train - mean) @ basis, (test - mean) @ basis


def wrong(train, labels, test, test_labels) -> np.ndarray:
    """(N,) bool: the test images that a probe fitted on these images gets wrong."""
    inputs = torch.nn.functional.pad(torch.from_numpy(train).float(), (0, 1), value=1.0)
    targets, weight = torch.from_numpy(labels), torch.zeros(inputs.shape[1], int(labels.max()) + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=60, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(inputs @ weight, targets)
        value = value + PENALTY / len(inputs) ** 0.5 * (weight[:-1] ** 2).sum()
        value.backward()
        return value

    optimizer.step(loss)
    tested = torch.nn.functional.pad(torch.from_numpy(test).float(), (0, 1), value=1.0)
    return (tested @ weight.detach()).argmax(dim=1).numpy() != test_labels


def tried(data: tuple, full: int, seed: int) -> dict[int, tuple[bool, float]]:
    """{times the images: (whether the interval holds, its width)} of one subset of `full` images per class."""
    train, labels, test, test_labels = data
    generator = np.random.default_rng([full, seed])
    drawn = [generator.permutation(np.flatnonzero(labels == label))[:full] for label in np.unique(labels)]
    sizes = [full // share for share in SHARES]
    errors = []
    for size in sizes:
        rows = np.concatenate([own[:size] for own in drawn])
        errors.append(wrong(train[rows], labels[rows], test, test_labels)[None])
    found = {}
    for factor, known in ((2, 4), (4, 3)):
        (row,) = extrapolate(errors[:known], sizes[:known], [full], seed=seed)
        found[factor] = (bool(row["low"] <= errors[-1].mean() <= row["high"]), row["high"] - row["low"])
    return found


def main() -> None:
    options = parser(__doc__, out="learning_curve.json")
    options.add_argument("study", type=Path, nargs="?", help="the folder of a finished study")
    options.add_argument("dataset", nargs="?")
    options.add_argument("backbone", nargs="?")
    options.add_argument("--subsets", type=int, default=25)
    options.add_argument("--full", type=int, nargs="+", default=[64, 256, 1024], help="images per class")
    given = options.parse_args()
    if given.quick:
        data, given.full, given.subsets = invented(), [32], 3
    elif given.backbone is None:
        options.error("give the folder of a finished study, a data set and a backbone, or --quick")
    else:
        data = read(given.study, given.dataset, given.backbone)
        print(f"{len(read_json(given.study / 'data' / given.dataset / 'classes.json'))} classes")
    train, test = whitened(data[0], data[2])
    data, results = (train, data[1], test, data[3]), []
    for full in given.full:
        found = [tried(data, full, seed) for seed in range(given.subsets)]
        for factor in (2, 4):
            held, width = (np.mean([one[factor][part] for one in found]) for part in (0, 1))
            print(
                f"{full:6,} images per class, curve from 1/{factor}: held in {held:.0%} of {len(found)}, width {100 * width:.1f} points"
            )
            results.append(
                {"images_per_class": full, "times": factor, "held": held, "width": width, "subsets": len(found)}
            )
    write_json(out_of(given), results)


if __name__ == "__main__":
    main()
