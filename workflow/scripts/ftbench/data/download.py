"""Downloads: mirrors, retries, resumption, and a checksum before anything is opened. Standard library only."""

import contextlib
import errno
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from ftbench.base.digests import md5_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import write_json
from ftbench.data import sources

BLOCK = 1 << 20  # bytes read at a time
BACKOFF_SECONDS = 1.0  # doubles with each attempt in a row that brought no new byte
REPORT_SECONDS = 5.0
USER_AGENT = "finetune-bench"  # some servers refuse urllib's own


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
    root = Path(root)
    fetched = []
    if wanted:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / ".download.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report(f"Another job is downloading into {root}: waiting for it.")
            lock.acquire()
        try:
            for archive in wanted:
                got = fetch(archive["urls"], root / archive["file"], archive["md5"], report=report)
                fetched.append({"file": archive["file"], **got})
        finally:
            lock.release()
    about = {"homepage": None, "licence": None, **source.about(settings)}
    write_json(done, {"source": settings["source"], "name": settings["name"], "files": fetched, **about})


def fetch(
    urls: list[str],
    path: str | os.PathLike,
    md5: str | None,
    attempts: int = 3,
    timeout: float = 30,
    report: Callable[[str], None] = print,
) -> dict:
    """Bring one file to `path` from the first of `urls` that gives it; return {"url", "md5", "bytes"}.

    A file that is there with the right checksum (any checksum where `md5` is None) stays untouched, and url is None.
    One with another checksum is replaced, but only when the new one is complete and verified. Bytes arrive in
    `<path>.part`, which the next attempt resumes, also in a later call; `attempts` counts tries in a row without a new
    byte, per URL. `timeout` is in seconds without a byte. Without md5 nothing could tell a mix of two mirrors' bytes,
    so then each call and each URL starts from zero.

    Raises InputError where no URL gave the file (with what to put where by hand), where the checksum is wrong
    everywhere, and where the disk is full.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    old = None
    if path.exists():
        found = md5_of_file(path)
        if md5 in (None, found):
            return {"url": None, "md5": found, "bytes": path.stat().st_size}
        old = f"{path} has md5 {found} instead of {md5}"
        report(f"{old}: downloading it again.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if md5 is None:
        part.unlink(missing_ok=True)

    wrong, failures = [], []
    for url in urls:
        try:
            found = _from_mirror(url, part, md5, attempts, timeout, report)
        except _Failure as failure:
            report(f"{url}: {failure}.")
            failures.append(f"{url}: {failure}")
            if md5 is None:
                part.unlink(missing_ok=True)
        else:
            if md5 in (None, found):
                size = part.stat().st_size
                part.replace(path)
                report(f"{path.name}: complete, {_megabytes(size)} MB, md5 {found}.")
                return {"url": url, "md5": found, "bytes": size}
            report(f"{url}: has md5 {found} instead of {md5}.")
            wrong.append(f"{url} has md5 {found}")
            part.unlink()
    kept = f"; {old}" if old else ""
    if wrong:
        raise InputError(
            f"{path.name}: expected md5 {md5}, but {', '.join(wrong + failures)}{kept}; give a mirror of the original "
            f"in `urls`, or the right checksum in `md5` if the file was repacked on purpose."
        )
    raise InputError(
        f"{path.name} could not be downloaded ({'; '.join(failures)}{kept}); get it by hand from {urls[-1]} "
        f"(md5 {md5 or 'unknown'}) and put it at {path.absolute()}."
    )


class _Failure(Exception):
    """A URL that did not give the file; the message says why."""


class _Broken(Exception):
    """An attempt that may succeed when repeated."""


def _from_mirror(url: str, part: Path, md5: str | None, attempts: int, timeout: float, report: Callable) -> str:
    """Complete `part` from one URL and return its md5. Raises _Failure when the attempts are used up."""
    failed, most = 0, _size(part)
    while True:
        resumed = _size(part) > 0
        try:
            _transfer(url, part, timeout, report)
        except _Broken as broken:
            failed = 1 if _size(part) > most else failed + 1
            most = max(most, _size(part))
            if failed >= attempts:
                raise _Failure(f"{broken}, {attempts} attempts") from broken
            report(f"{url}: {broken}, trying again.")
            time.sleep(BACKOFF_SECONDS * 2 ** (failed - 1))
            continue
        found = md5_of_file(part)
        if found == md5 or not resumed:
            return found
        # The older bytes may come from another mirror or another version of the file.
        report(f"{url}: the resumed file has md5 {found} instead of {md5}, starting from zero.")
        part.unlink()


def _transfer(url: str, part: Path, timeout: float, report: Callable) -> None:
    """One request. Appends to `part` where the server continues it, else starts it anew."""
    start = _size(part)
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as response:
            if start and not _continues(response, start):
                start = 0  # the server sends the whole file
            length = response.headers.get("Content-Length")
            total = start + int(length) if length else None
            _check_space(part, total, start)
            _store(response, part, start, total, report)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and start:
                if error.headers.get("Content-Range", "").strip() == f"bytes */{start}":
                    return  # complete already
                part.unlink()
                raise _Broken("the server has no byte after those of an earlier attempt (416)") from error
            if error.code in (408, 425, 429) or error.code >= 500:
                raise _Broken(f"the server answered {error.code} {error.reason}") from error
            raise _Failure(f"the server answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, FileNotFoundError) or url.startswith("file:"):
            raise _Failure(f"no such file ({error.reason})") from error
        raise _Broken(f"no connection ({error.reason})") from error
    except (http.client.HTTPException, OSError) as error:
        raise _Broken(f"the connection broke ({error or type(error).__name__})") from error
    except ValueError as error:  # urllib's answer to a URL without a scheme
        raise _Failure(f"{error}") from error


def _continues(response, start: int) -> bool:
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _store(response, part: Path, start: int, total: int | None, report: Callable) -> None:
    began = said = time.monotonic()
    size = start
    with _writable(part, total), part.open("ab" if start else "wb") as stream:
        while block := _receive(response):
            stream.write(block)
            size += len(block)
            if (now := time.monotonic()) - said >= REPORT_SECONDS:
                said = now
                of = f" of {_megabytes(total)} MB ({100 * size / total:.0f} %)" if total else " MB"
                speed = (size - start) / (now - began) / 1e6
                report(f"{part.stem}: {_megabytes(size)}{of}, {speed:.1f} MB/s")
    if total is not None and size != total:  # a closed connection ends a response without an exception
        raise _Broken(f"the connection ended after {size} of {total} bytes")


def _receive(response) -> bytes:
    try:
        return response.read(BLOCK)
    except (http.client.HTTPException, OSError) as error:
        raise _Broken(f"the connection broke ({error or type(error).__name__})") from error


@contextlib.contextmanager
def _writable(part: Path, total: int | None) -> Iterator[None]:
    """Make an OSError of the disk end the download; one of the network is a _Broken by then (see `_receive`)."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(part, total) from error
        raise InputError(f"{part} cannot be written ({error}): make its folder writable and start again.") from error


def _check_space(part: Path, total: int | None, start: int) -> None:
    present = _size(part) if not start else 0  # a file that is written anew gives its old bytes back
    if total is not None and total - start > shutil.disk_usage(part.parent).free + present:
        raise _full(part, total)


def _full(part: Path, total: int | None) -> InputError:
    size = f"{_megabytes(total)} MB" if total else "all of it"
    return InputError(f"No space left on the disk for {part} ({size}): free some space and start again.")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"
