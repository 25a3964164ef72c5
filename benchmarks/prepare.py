"""Preparing photos: images per second and peak memory, from a folder, a table, parquet shards and tar shards.

Writes synthetic photos of 500 px (JPEG, about 100 kB, noise and soft colours) in four classes, in every form, and prepares the train part at
224 px in a process of its own, with as many threads as --threads. Results go to results/prepare.json.
"""

import io
import json
import os
import sys
import tarfile
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where a test loads this file by its path
from _common import ROOT, out_of, parser  # isort: skip
import numpy as np
from PIL import Image

SIDE, DIFFERENT, CLASSES, SHARD = 500, 100, 4, 1000
STORED = 224  # pixels
FORMS = ("folder", "table", "parquet", "tar")
OUTPUTS = ("images.npy", "labels.npy", "groups.npy", "classes.json", "files.csv", "train.json")


def photos(count: int):
    """(name, class, JPEG) of each; a comment behind the pixels makes every file another one."""
    random = np.random.default_rng(0)
    encoded = []
    for _ in range(min(DIFFERENT, count)):
        soft = Image.fromarray(random.integers(0, 256, (25, 25, 3), dtype=np.uint8)).resize((SIDE, SIDE))
        noisy = np.clip(np.asarray(soft) + random.normal(0, 12, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
        stream = io.BytesIO()
        Image.fromarray(noisy).save(stream, "jpeg", quality=90)
        encoded.append(stream.getvalue())
    for number in range(count):
        label = f"class{number % CLASSES}"
        yield f"{label}/{number:06d}.jpg", label, encoded[number % len(encoded)] + b"%d" % number


def write(form: str, folder: Path, count: int) -> dict:
    """The entry of a data set of this form, written below `folder`."""
    if form in ("folder", "table"):
        if not (folder / "photos").exists():
            for name, _, data in photos(count):
                (folder / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / "photos" / name).write_bytes(data)
        if form == "folder":
            return {"source": "imagefolder", "path": str(folder / "photos")}
        rows = [f"{name},{label}\n" for name, label, _ in photos(count)]
        (folder / "labels.csv").write_text("file,label\n" + "".join(rows))
        return {"source": "table", "path": str(folder / "labels.csv"), "images": str(folder / "photos")}
    (folder / form).mkdir()
    {"parquet": _parquet, "tar": _tar}[form](folder / form, count)
    return {"source": form, "path": str(folder / form)}


def _parquet(folder: Path, count: int) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = []
    for number, (name, label, data) in enumerate(photos(count), start=1):
        rows.append({"image": {"bytes": data, "path": name}, "label": label})
        if len(rows) == SHARD or number == count:
            parquet.write_table(
                pyarrow.Table.from_pylist(rows), folder / f"data-{number:06d}.parquet", row_group_size=100
            )
            rows = []


def _tar(folder: Path, count: int) -> None:
    archive = None
    for number, (name, label, data) in enumerate(photos(count)):
        if number % SHARD == 0:
            if archive:
                archive.close()
            archive = tarfile.open(folder / f"data-{number // SHARD:06d}.tar", "w")  # noqa: SIM115
        for ending, content in (("jpg", data), ("cls", label.encode())):
            member = tarfile.TarInfo(f"{name.removesuffix('.jpg')}.{ending}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    archive.close()


PREPARE = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ftbench.data.prepare import prepare_train
settings, out, threads = json.loads(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
from ftbench.machine.peak_memory import peak_resident_mb
imported = peak_resident_mb()
start = time.perf_counter()
prepare_train(settings, settings["path"], *(out / name for name in {outputs}), threads=threads)
spent = resource.getrusage(resource.RUSAGE_SELF)
told = {{"seconds": time.perf_counter() - start, "mb": peak_resident_mb(), "imported_mb": imported}}
(out / "told.json").write_text(json.dumps(told | {{"cpu_seconds": spent.ru_utime + spent.ru_stime}}))
"""


def measure(form: str, folder: Path, count: int, threads: int) -> dict:
    from ftbench.study.config import resolve

    entry = write(form, folder, count) | {"image_size": STORED, "test_fraction": 0.1}
    study = {
        "study": "prepare",
        "seeds": [0],
        "datasets": {"photos": entry},
        "backbones": {"small": {"source": "ftbench", "model": "resnet8", "image_size": 32}},
        "strategies": {"scratch": {"kind": "scratch", "learning_rate": 0.1}},
    }
    settings = resolve(study)["datasets"]["photos"]
    out = folder / f"out-{form}"
    out.mkdir()
    code = PREPARE.format(outputs=OUTPUTS)
    command = [
        sys.executable,
        "-c",
        code,
        str(ROOT / "workflow" / "scripts"),
        json.dumps(settings),
        str(out),
        str(threads),
    ]
    start = time.perf_counter()
    if os.spawnv(os.P_WAIT, sys.executable, command):
        sys.exit(f"preparing from {form} failed")
    told = json.loads((out / "told.json").read_text()) | {"with_start_seconds": time.perf_counter() - start}
    images = json.loads((out / "train.json").read_text())
    (out / "images.npy").unlink()
    return {"form": form, "images": images["images"], "digest": images["digest"], "threads": threads} | told


def main() -> None:
    options = parser(__doc__, out="prepare.json")
    options.add_argument("--images", type=int, default=20_000)
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--forms", nargs="*", default=FORMS, choices=FORMS)
    options.add_argument(
        "--folder",
        type=Path,
        help="where the photos and arrays are written, then removed (default: a temporary folder)",
    )
    arguments = options.parse_args()
    count = 40 if arguments.quick else arguments.images
    rows = []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        print(f"{'form':>8} {'images':>8} {'threads':>8} {'seconds':>8} {'CPU s':>7} {'images/s':>9} {'peak MB':>8}")
        for form in arguments.forms:
            row = measure(form, Path(name), count, arguments.threads)
            rows.append(row)
            speed = row["images"] / row["seconds"]
            print(
                f"{form:>8} {row['images']:>8,} {row['threads']:>8} {row['seconds']:>8.1f} {row['cpu_seconds']:>7.1f} {speed:>9.0f} {row['mb']:>8.0f}",
                flush=True,
            )
    out_of(arguments).write_text(json.dumps(rows, indent=2) + "\n")
    if len({row["digest"] for row in rows}) > 1:
        sys.exit("the forms give different arrays")


if __name__ == "__main__":
    main()
