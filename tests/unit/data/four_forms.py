"""One set of images written as a folder, a table, parquet shards and WebDataset shards."""

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow
from PIL import Image
from pyarrow import parquet

CLASSES = ("cat", "dog", "owl")


def images(parts: dict[str, int], seed: int = 0) -> list[dict]:
    """{"part", "name", "label", "group", "site", "data"}: `parts` has the images per class; PNGs of several sizes, one picture twice."""
    found = []
    for part, per_class in parts.items():
        for label in CLASSES:
            for number in range(per_class):
                random = np.random.default_rng([seed, len(found)])
                pixels = random.integers(0, 256, (8 + number % 3, 10, 3), dtype=np.uint8)
                stream = io.BytesIO()
                Image.fromarray(pixels).save(stream, "png")
                where = [part, label] if part else [label]
                found.append(
                    {
                        "part": part,
                        "name": "/".join([*where, f"{number:03d}.png"]),
                        "label": label,
                        "group": f"{part}{label}{number // 2}",
                        "site": "AB"[number % 2],
                        "data": stream.getvalue(),
                    }
                )
    found[1]["data"] = found[0]["data"]
    return found


def folder(root: Path, found: list[dict]) -> dict:
    for image in found:
        (root / image["name"]).parent.mkdir(parents=True, exist_ok=True)
        (root / image["name"]).write_bytes(image["data"])
    groups = root.with_suffix(".groups.csv")
    groups.write_text("file,group\n" + "".join(f"{image['name']},{image['group']}\n" for image in found))
    return {"source": "imagefolder", "path": str(root), "groups": str(groups)}


def table(root: Path, found: list[dict], shuffled=reversed) -> dict:
    folder(root / "images", found)
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file", "label", "split", "group", "site"))
        for image in shuffled(found):
            writer.writerow([image[key] for key in ("name", "label", "part", "group", "site")])
    return {"source": "table", "path": str(root / "labels.csv"), "images": str(root / "images")}


def features(**more) -> dict:
    named = {"image": {"_type": "Image"}, "label": {"names": list(CLASSES), "_type": "ClassLabel"}, **more}
    return {b"huggingface": json.dumps({"info": {"features": named}}).encode()}


def shards(root: Path, found: list[dict], struct: bool = True, per_shard: int = 5, metadata=None) -> dict:
    """Parquet as the hub stores it, with as many images in a shard; in reverse order, unless the images have no path to be sorted by."""
    root.mkdir(parents=True, exist_ok=True)
    for part in dict.fromkeys(image["part"] for image in found):
        own = [image for image in found if image["part"] == part][:: -1 if struct else 1]
        pieces = [own[start : start + per_shard] for start in range(0, len(own), per_shard)]
        for number, piece in enumerate(pieces):
            rows = [
                {
                    "image": {"bytes": image["data"], "path": image["name"]} if struct else image["data"],
                    "label": CLASSES.index(image["label"]),
                    "group": image["group"],
                    "site": image["site"],
                }
                for image in piece
            ]
            written = pyarrow.Table.from_pylist(rows).replace_schema_metadata(
                features() if metadata is None else metadata
            )
            name = f"{part or 'data'}-{number:05d}-of-{len(pieces):05d}.parquet"
            parquet.write_table(written, root / name, row_group_size=2)
    return {"source": "parquet", "path": str(root)}


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def tars(root: Path, found: list[dict], packed: bool = False, as_json: bool = True, per_shard: int = 5) -> dict:
    root.mkdir(parents=True, exist_ok=True)
    for part in dict.fromkeys(image["part"] for image in found):
        own = [image for image in found if image["part"] == part][::-1]
        for number in range(0, len(own), per_shard):
            name = f"{part or 'data'}-{number // per_shard:06d}.tar{'.gz' * packed}"
            with tarfile.open(root / name, "w:gz" if packed else "w") as archive:
                for image in own[number : number + per_shard]:
                    key = image["name"].removesuffix(".png")
                    add(archive, f"{key}.png", image["data"])
                    said = {name: image[name] for name in ("label", "group", "site")}
                    if as_json:
                        add(archive, f"{key}.json", json.dumps(said).encode())
                    else:
                        add(archive, f"{key}.cls", f"{image['label']}\n".encode())
    return {"source": "tar", "path": str(root)}
