"""What torchvision's classes do not say in one common form: their parts, labels, paths, homepages and licences."""

from dataclasses import dataclass

DIGITS = [str(digit) for digit in range(10)]
NOT_STATED = "not stated by its publishers"


@dataclass(frozen=True)
class Set:
    """How torchvision's class is called and where it keeps things (a test reads a small archive of each set)."""

    train: tuple[dict, ...]  # arguments that select the official train (and validation) parts
    test: dict
    folder: str  # where the archives are unpacked, below torchvision's root
    labels: str  # attribute with one label per image, or (path, label) pairs
    homepage: str
    licence: str = NOT_STATED
    files: str | None = None  # attribute with one path, or (path, label) pair, per image; None: images are in memory
    classes: list[str] | None = None  # None: the class has an attribute `classes`


FLAG = {"train": ({"train": True},), "test": {"train": False}}
SPLIT = {"train": ({"split": "train"},), "test": {"split": "test"}}
SPLIT_VAL = {"train": ({"split": "train"}, {"split": "val"}), "test": {"split": "test"}}
SPLIT_VALID = {"train": ({"split": "train"}, {"split": "valid"}), "test": {"split": "test"}}
TRAINVAL = {"train": ({"split": "trainval"},), "test": {"split": "test"}}
FILES = {"labels": "_labels", "files": "_image_files"}
SAMPLES = {"labels": "_samples", "files": "_samples"}

# Names of the 43 signs in the order of their class numbers, https://benchmark.ini.rub.de/gtsrb_dataset.html
SIGNS = [
    *(f"speed limit {limit}" for limit in (20, 30, 50, 60, 70, 80)),
    *("end of speed limit 80", "speed limit 100", "speed limit 120", "no passing", "no passing for trucks"),
    *("right of way at next crossing", "priority road", "yield", "stop", "no vehicles", "no trucks", "no entry"),
    *("general caution", "curve left", "curve right", "double curve", "bumpy road", "slippery road"),
    *("road narrows", "road work", "traffic signals", "pedestrians", "children", "bicycles", "ice or snow"),
    *("wild animals", "end of all limits", "turn right ahead", "turn left ahead", "ahead only"),
    *("straight or right", "straight or left", "keep right", "keep left", "roundabout", "end of no passing"),
    "end of no passing for trucks",
]

CIFAR = {"folder": "", "labels": "targets", "homepage": "https://www.cs.toronto.edu/~kriz/cifar.html", **FLAG}
OXFORD = "https://www.robots.ox.ac.uk/~vgg/data"
CLIP = "https://github.com/openai/CLIP/blob/main/data"
SETS = {
    "CIFAR10": Set(**CIFAR),
    "CIFAR100": Set(**CIFAR),
    "Country211": Set(
        **SPLIT_VALID,
        folder="",
        labels="targets",
        files="samples",
        homepage=f"{CLIP}/country211.md",
        licence="Creative Commons, one licence per image (YFCC100M)",
    ),
    "DTD": Set(**SPLIT_VAL, **FILES, folder="dtd", homepage=f"{OXFORD}/dtd/", licence="for research purposes"),
    "FGVCAircraft": Set(
        **TRAINVAL,
        **FILES,
        folder="",
        homepage=f"{OXFORD}/fgvc-aircraft/",
        licence="non-commercial research only",
    ),
    "FashionMNIST": Set(
        **FLAG,
        folder="FashionMNIST/raw",
        labels="targets",
        licence="MIT",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
    ),
    "Flowers102": Set(**SPLIT_VAL, **FILES, folder="flowers-102", homepage=f"{OXFORD}/flowers/102/"),
    "Food101": Set(
        **SPLIT,
        **FILES,
        folder="",
        homepage="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
        licence="scientific fair use; the images belong to the users of foodspotting.com",
    ),
    "GTSRB": Set(
        **SPLIT,
        **SAMPLES,
        folder="gtsrb",
        classes=SIGNS,
        homepage="https://benchmark.ini.rub.de/gtsrb_dataset.html",
    ),
    "KMNIST": Set(
        **FLAG,
        folder="KMNIST/raw",
        labels="targets",
        homepage="https://github.com/rois-codh/kmnist",
        licence="CC BY-SA 4.0",
    ),
    "MNIST": Set(
        **FLAG,
        folder="MNIST/raw",
        labels="targets",
        homepage="http://yann.lecun.com/exdb/mnist/",
        licence="CC BY-SA 3.0",
    ),
    "OxfordIIITPet": Set(
        **TRAINVAL,
        folder="oxford-iiit-pet",
        labels="_labels",
        files="_images",
        homepage=f"{OXFORD}/pets/",
        licence="CC BY-SA 4.0",
    ),
    "RenderedSST2": Set(**SPLIT_VAL, **SAMPLES, folder="", homepage=f"{CLIP}/rendered-sst2.md"),
    "STL10": Set(**SPLIT, folder="", labels="labels", homepage="https://cs.stanford.edu/~acoates/stl10/"),
    "SVHN": Set(
        **SPLIT,
        folder="",
        labels="labels",
        classes=DIGITS,
        homepage="http://ufldl.stanford.edu/housenumbers/",
        licence="non-commercial use only",
    ),
    "USPS": Set(
        **FLAG,
        folder="",
        labels="targets",
        classes=DIGITS,
        homepage="https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps",
    ),
}

# torchvision keeps these in the body of a method
GTSRB_URL = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
GTSRB_MD5 = {
    "GTSRB-Training_fixed.zip": "513f3c79a4c5141765e10e952eaa2478",
    "GTSRB_Final_Test_Images.zip": "c7e4e6327067d32654124b0fe9e82185",
    "GTSRB_Final_Test_GT.zip": "fe31e9c9270bbcd7b84b7f21a9d9d9e5",
}
# torchvision has none; this one is the publisher's, https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/
AIRCRAFT_MD5 = "d4acdd33327262359767eeaa97a4f732"
