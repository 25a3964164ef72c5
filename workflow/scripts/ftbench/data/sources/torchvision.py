"""Published data sets that torchvision knows how to find and to read.

The archives are downloaded elsewhere (ftbench.data.download). `read` compares them with their checksums once more, unpacks
them beside themselves into the layout that torchvision's class expects and constructs that class with `download=False`,
so it never touches a network. CIFAR's files are pickles, which torchvision would run, so a reader of our own opens them.
torchvision verifies some unpacked files once more; those checksums are taken out, since they would refuse a repacked
archive whose own checksum was verified (`md5` in the config).

Where a set has official train and validation parts, both are the train part: the study draws its own validation images.
"""

import contextlib
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from types import ModuleType

from ftbench.base.digests import md5_of_file
from ftbench.base.errors import InputError, choices
from ftbench.data.sources import refuse_folder_settings, require_part
from ftbench.data.sources._cifar import Cifar
from ftbench.data.sources._torchvision_sets import AIRCRAFT_MD5, GTSRB_MD5, GTSRB_URL, SETS, Set
from ftbench.data.sources._unpack import unpack
from ftbench.machine.spared_compiler import spare_compiler

DECLARES = {
    "needs": "name",
    "options": ["urls", "md5", "download_gb", "columns"],
    "download": True,
    "listing": None,
    "sizes": {  # from the publishers' pages; an official validation part counts with the train part
        "CIFAR10": (50_000, 10_000, 10),
        "CIFAR100": (50_000, 10_000, 100),
        "MNIST": (60_000, 10_000, 10),
        "FashionMNIST": (60_000, 10_000, 10),
        "KMNIST": (60_000, 10_000, 10),
        "USPS": (7_291, 2_007, 10),
        "SVHN": (73_257, 26_032, 10),
        "STL10": (5_000, 8_000, 10),
        "GTSRB": (26_640, 12_630, 43),
        "Flowers102": (2_040, 6_149, 102),
        "OxfordIIITPet": (3_680, 3_669, 37),
        "DTD": (3_760, 1_880, 47),
        "FGVCAircraft": (6_667, 3_333, 100),
        "Food101": (75_750, 25_250, 101),
        "Country211": (42_200, 21_100, 211),
        "RenderedSST2": (7_792, 1_821, 2),
    },
}
STALE_SECONDS = 2 * 24 * 3600  # an unpacked copy this old was left behind by a job that was killed
NAMES = sorted(SETS)
PACKED = (".gz", ".tgz", ".zip")


def archives(settings: dict) -> list[dict]:
    """The files to download: [{"file": name below the set's folder, "urls": [...], "md5": hex}].

    `urls` of the config come before the published ones, `md5` of the config replaces theirs. Raises InputError on an
    unknown `name`, and on `urls` or `md5` that do not fit the set's files.
    """
    published = _published(_entry(settings)[0])
    _coarse(settings)
    files = [file for file, _, _ in published]
    single = [url for url in settings["urls"] if not url.endswith("/")]
    if single and len(files) > 1:
        raise InputError(
            f"urls: {single[0]} is one file, but {settings['name']} has {len(files)} ({choices(files)}); "
            f"give the folder that holds them, ending in /."
        )
    given = settings["md5"] or {}
    if isinstance(given, str):
        if len(files) > 1:
            raise InputError(
                f"md5: {settings['name']} has several files; give a checksum for each of {choices(files)}."
            )
        given = {files[0]: given}
    unknown = sorted(set(given) - set(files))
    if unknown:
        raise InputError(f"md5: {unknown[0]} is no file of {settings['name']}; its files are {choices(files)}.")
    return [
        {
            "file": file,
            "urls": [*(f"{url}{file}" if url.endswith("/") else url for url in settings["urls"]), *urls],
            "md5": given.get(file, md5).lower(),
        }
        for file, urls, md5 in published
    ]


def about(settings: dict) -> dict:
    entry = _entry(settings)[1]
    return {"homepage": entry.homepage, "licence": entry.licence}


def read(settings: dict, root: str | Path, part: str) -> tuple[list[str], Iterator]:
    """Classes and items of one part from the archives in `root`; images come as PIL images.

    The unpacked copy is removed with the last reference to the items. Raises InputError where an archive is missing, is
    another one than its checksum says, or cannot be unpacked.
    """
    require_part(part)
    refuse_folder_settings(settings)
    name, entry = _entry(settings)
    wanted = archives({"urls": [], **settings})
    scratch = _Scratch(Path(root))
    place = unpacked(settings, root)
    if place is None:
        place = scratch.path
        for archive in wanted:
            unpack(Path(root) / archive["file"], archive["urls"][-1], archive["md5"], place / entry.folder)
    reader = _reader(getattr(_torchvision_datasets(), name), _coarse(settings))
    selections = entry.train if part == "train" else (entry.test,)
    datasets = [(selection, reader(str(place), **selection)) for selection in selections]
    return list(entry.classes or datasets[0][1].classes), _items(entry, datasets, place, scratch)


def unpacked(settings: dict, root: str | Path) -> Path | None:
    """The folder from which torchvision's class reads the set, if no archive lies in `root` but what they hold: unpacked right there, or
    in the folders that torchvision makes itself.

    Raises InputError if one of the files is another than torchvision's own checksum of it says, unless `md5` of the config replaces those.
    """
    name, entry = _entry(settings)
    root = Path(root)
    wanted = archives({"urls": [], **settings})
    if any((root / archive["file"]).exists() for archive in wanted if archive["file"].endswith(PACKED)):
        return None
    if not _has_folders(root):
        return None
    cls = getattr(_torchvision_datasets(), name)
    for place in (root, _linked(root, entry.folder)):
        try:
            for selection in (*entry.train, entry.test):
                _reader(cls)(str(place), **selection)
        except (RuntimeError, OSError):
            continue
        expected = {} if settings.get("md5") else _checksums(cls, place)
        _compare_unpacked(
            expected | {root / each["file"]: each["md5"] for each in wanted if (root / each["file"]).exists()}
        )
        return place
    return None


def _linked(root: Path, folder: str) -> Path:
    """A folder, kept in `root`, below which torchvision finds what was unpacked right into `root`: `folder` in it is a link to `root`."""
    if not folder:
        return root
    top = root / ".as-torchvision"
    link = top / folder
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        link.symlink_to(root.resolve(), target_is_directory=True)
    return top


def _has_folders(root: Path) -> bool:
    return root.is_dir() and any(entry.is_dir() and not entry.name.startswith(".") for entry in root.iterdir())


def _checksums(cls: type, place: Path) -> dict[Path, str]:
    """The unpacked files of which torchvision's class knows a checksum."""
    files = [*getattr(cls, "train_list", []), *getattr(cls, "test_list", [])]
    return {place / cls.base_folder / file: md5 for file, md5 in files}


def _compare_unpacked(expected: dict[Path, str]) -> None:
    for path, md5 in expected.items():
        found = md5_of_file(path)
        if found != md5:
            raise InputError(
                f"{path} has md5 {found} instead of {md5}; remove the unpacked files, and the workflow downloads the archive, or give the "
                "checksum of your archive in `md5` if it was repacked on purpose."
            )


def group_keys(settings: dict, root: str | Path, names: list[str]) -> list[str | None]:
    """GTSRB: the frames of one drive past a sign share the first half of their name, and so a group; its test images and others: None."""
    if settings["name"] != "GTSRB":
        return [None] * len(names)
    return [
        name.rpartition("_")[0] if "_" in Path(name).name else None for name in names
    ]  # GTSRB/Training/<class>/<track>_<frame>.ppm


def remarks(settings: dict, root: str | Path | None) -> dict:
    return {"notes": [], "left_out": {}}


def _items(entry: Set, datasets: list, place: Path, scratch: "_Scratch") -> Iterator:
    for selection, dataset in datasets:
        labels = [value[1] if isinstance(value, tuple) else int(value) for value in getattr(dataset, entry.labels)]
        prefix = selection.get("split", "train" if selection.get("train") else "test")
        names = [f"{prefix}/{index:05d}" for index in range(len(labels))]
        if entry.files is not None:
            paths = [value[0] if isinstance(value, tuple) else value for value in getattr(dataset, entry.files)]
            names = [Path(path).relative_to(place / entry.folder).as_posix() for path in paths]
        for index, (name, label) in enumerate(zip(names, labels)):
            # `keep` holds the unpacked files as long as this image may still be loaded
            yield name, label, lambda index=index, dataset=dataset, keep=scratch: dataset[index][0]


def _entry(settings: dict) -> tuple[str, Set]:
    name = settings["name"]
    if name not in SETS:
        raise InputError(
            f"name: {name!r} is no data set that can be read with torchvision; valid are {choices(NAMES)}."
        )
    return name, SETS[name]


def _torchvision_datasets() -> ModuleType:
    """torchvision.datasets: seconds to import, and not needed to parse a workflow."""
    spare_compiler()
    import torchvision.datasets

    return torchvision.datasets


def _published(name: str) -> list[tuple[str, list[str], str]]:
    """(file, urls, md5) of each archive, from the attributes of torchvision's class."""
    cls = getattr(_torchvision_datasets(), name)
    if name == "GTSRB":
        return [(file, [f"{GTSRB_URL}{file}"], md5) for file, md5 in GTSRB_MD5.items()]
    if hasattr(cls, "tgz_md5"):
        return [(cls.filename, [cls.url], cls.tgz_md5)]
    if hasattr(cls, "resources"):
        return [(file, [f"{mirror}{file}" for mirror in cls.mirrors], md5) for file, md5 in cls.resources]
    if hasattr(cls, "split_list"):
        return [(file, [url], md5) for url, file, md5 in (cls.split_list["train"], cls.split_list["test"])]
    if hasattr(cls, "_RESOURCES"):
        return [(PurePosixPath(url).name, [url], md5) for url, md5 in cls._RESOURCES]
    if hasattr(cls, "_file_dict"):
        return [(file, [f"{cls._download_url_prefix}{file}"], md5) for file, md5 in cls._file_dict.values()]
    return [(PurePosixPath(cls._URL).name, [cls._URL], getattr(cls, "_MD5", AIRCRAFT_MD5))]


def _coarse(settings: dict) -> bool:
    """Whether the superclasses are the labels. Raises InputError where `columns` asks for what a set does not have."""
    given = {key: value for key, value in (settings.get("columns") or {}).items() if value is not None}
    if not given or given == {"label": "fine"}:
        return False
    if settings["name"] != "CIFAR100" or given != {"label": "coarse"}:
        raise InputError(
            f"columns: {given} says nothing of {settings['name']}; of the published sets CIFAR100 alone has labels to choose from: "
            "{label: fine} and {label: coarse}."
        )
    return True


def _reader(cls: type, coarse: bool = False) -> Callable:
    """What reads one part of a set from the unpacked files: torchvision's class, but for CIFAR, which has a `meta` file and pickles."""
    if not hasattr(cls, "meta"):
        return _without_md5(cls)

    def read_cifar(root: str, train: bool) -> Cifar:
        batches = [file for file, _ in (cls.train_list if train else cls.test_list)]
        folder = Path(root) / cls.base_folder
        if coarse:
            return Cifar(folder, batches, cls.meta["filename"], "coarse_label_names", ("coarse_labels",))
        return Cifar(folder, batches, cls.meta["filename"], cls.meta["key"])

    return read_cifar


def _without_md5(cls: type) -> type:
    """A subclass of the same name (torchvision builds paths from it) that trusts the unpacked files."""
    attributes = {}
    for name in ("train_list", "test_list"):
        if hasattr(cls, name):
            attributes[name] = [[file, None] for file, _ in getattr(cls, name)]
    if hasattr(cls, "split_list"):
        attributes["split_list"] = {split: [url, file, None] for split, (url, file, _) in cls.split_list.items()}
    if hasattr(cls, "_file_dict"):
        attributes["_file_dict"] = {key: (file, None) for key, (file, _) in cls._file_dict.items()}
    return type(cls.__name__, (cls,), attributes)


class _Scratch:
    """A folder beside the archives that is removed with the last reference to this object."""

    def __init__(self, root: Path):
        root.mkdir(parents=True, exist_ok=True)
        for old in root.glob(".unpacked-*"):
            with contextlib.suppress(FileNotFoundError):  # another job may be removing it too
                if time.time() - old.stat().st_mtime > STALE_SECONDS:
                    shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".unpacked-{os.getpid()}-", dir=root.resolve()))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.path = folder / "root"  # one deeper: an archive may hold "./" and set that folder's time to its own
