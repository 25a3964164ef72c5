"""Bring all files of a data set into its folder, once for all studies that want them, and record where they came from."""

import os
from collections.abc import Callable
from pathlib import Path

from ftbench.base.files import write_json
from ftbench.data import sources
from ftbench.data.download import MOST_GB, fetch


def download_dataset(
    settings: dict, root: str | os.PathLike, done: str | os.PathLike, report: Callable = print
) -> None:
    """Fetch all archives of a data set into the folder `root` and write `done` (JSON).

    `done` holds source, name, homepage, licence and `files`: file, url (null where the file was there already), md5,
    bytes. A lock in `root` makes a second study that wants the same files wait for the first. A source without archives
    has an empty list of files.
    """
    from filelock import FileLock, Timeout

    source = sources.load(settings["source"])
    wanted = source.archives(settings)
    there = source.unpacked(settings, root) if hasattr(source, "unpacked") else None
    if there is not None:
        report(f"{root} holds the unpacked files of {settings['name']}: nothing is downloaded.")
        wanted = []
    most = int((settings["download_gb"] or MOST_GB) * 1e9)
    root = Path(root)
    fetched = [] if there is None else [{"file": f"{there}/", "url": None, "md5": None, "bytes": None}]
    if wanted or hasattr(source, "fetch"):
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / ".download.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report(f"Another job is downloading into {root}: waiting for it.")
            lock.acquire()
        try:
            for archive in wanted:
                got = fetch(archive["urls"], root / archive["file"], archive["md5"], report=report, most=most)
                fetched.append({"file": archive["file"], **got})
            if hasattr(source, "fetch"):
                fetched += source.fetch(settings, root, most, report)
        finally:
            lock.release()
    about = {"homepage": None, "licence": None, **source.about(settings)}
    write_json(
        done,
        {"source": settings["source"], "name": settings["name"] or settings.get("path"), "files": fetched, **about},
    )
