"""Downloads: mirrors, retries, resumption, bounds, and a checksum before anything is opened. Standard library only."""

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
from typing import NamedTuple

from ftbench.base.digests import md5_of_file
from ftbench.base.errors import InputError
from ftbench.base.files import flush, make_folder

BLOCK = 1 << 20  # bytes read at a time
BACKOFF_SECONDS = 1.0  # doubles with each attempt in a row that brought nothing, or nearly so
ENOUGH = 1 << 16  # bytes that an attempt must bring to count as one that went on
REPORT_SECONDS = 5.0
MOST_GB = 25.0  # 10^9 bytes of one file; the largest that is known here, Country211, has 11
MOST_HOURS = 24.0  # of one file, all its mirrors and attempts together; what has arrived stays for the next start
LONGEST = 300  # characters of what went wrong
USER_AGENT = "finetune-bench"  # some servers refuse urllib's own


def fetch(
    urls: list[str],
    path: str | os.PathLike,
    md5: str | None,
    attempts: int = 3,
    timeout: float = 30,
    report: Callable[[str], None] = print,
    most: int = int(MOST_GB * 1e9),
    hours: float = MOST_HOURS,
) -> dict:
    """Bring one file to `path` from the first of `urls` that gives it; return {"url", "md5", "bytes"}.

    A file that is there with the right checksum (any checksum where `md5` is None) stays untouched, and url is None.
    One with another checksum is replaced, but only when the new one is complete and verified. Bytes arrive in
    `<path>.part`, which the next attempt resumes, also in a later call; `attempts` counts tries in a row
    that brought less than 64 kB, per URL. `timeout` is in seconds without a byte. A server that announces or sends more than `most` bytes
    is cut off, and no file takes longer than `hours`. Without md5 nothing could tell a mix of two mirrors' bytes,
    so then each call and each URL starts from zero.

    Raises InputError where no URL gave the file (with what to put where by hand), where the checksum is wrong
    everywhere, where the disk is full, and after `hours`.
    """
    path = Path(path)
    limits = Limits(most, time.monotonic() + hours * 3600, timeout)
    part = path.with_name(path.name + ".part")
    old = None
    try:
        make_folder(path.parent)
        found = md5_of_file(path) if path.exists() else None
    except OSError as error:  # a folder in the file's place, a file in the folder's
        raise InputError(
            f"{path} cannot be written or read ({error.strerror}): remove what is there and start again."
        ) from error
    if found:
        if md5 in (None, found):
            return {"url": None, "md5": found, "bytes": path.stat().st_size}
        old = f"{path} has md5 {found} instead of {md5}"
        report(f"{old}: downloading it again.")
    if md5 is None:
        part.unlink(missing_ok=True)

    wrong, failures = [], []
    for url in urls:
        try:
            found = _from_mirror(url, part, md5, attempts, limits, report)
        except _Failure as failure:
            report(f"{url}: {failure}.")
            failures.append(f"{url}: {failure}")
            if md5 is None:
                part.unlink(missing_ok=True)
        else:
            if md5 in (None, found):
                size = part.stat().st_size
                flush(part)  # a rename alone may survive a power cut, and the bytes may not
                part.replace(path)
                flush(path.parent)
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


class Limits(NamedTuple):
    """How much and how long: bytes of the file, the end on the monotonic clock, and seconds without a byte."""

    most: int
    end: float
    idle: float


class _Said(Exception):
    """Why no file came: one line of at most LONGEST characters, since a server says a part of it."""

    def __init__(self, reason: str):
        line = " ".join(reason.split())
        super().__init__(line if len(line) <= LONGEST else f"{line[:LONGEST]}...")


class _Failure(_Said):
    """A URL that did not give the file."""


class _Broken(_Said):
    """An attempt that may succeed when repeated."""


def _from_mirror(url: str, part: Path, md5: str | None, attempts: int, limits: Limits, report: Callable) -> str:
    """Complete `part` from one URL and return its md5. Raises _Failure when the attempts are used up."""
    failed, most = 0, _size(part)
    while True:
        resumed = _size(part) > 0
        try:
            _transfer(url, part, limits, report)
        except _Broken as broken:
            failed = 1 if _size(part) - most >= ENOUGH else failed + 1
            most = max(most, _size(part))
            if failed >= attempts:
                raise _Failure(f"{broken}, {attempts} attempts") from broken
            report(f"{url}: {broken}, trying again.")
            if time.monotonic() > limits.end:
                raise _too_long(part, _size(part)) from broken
            time.sleep(BACKOFF_SECONDS * 2 ** (failed - 1))
            continue
        found = md5_of_file(part)
        if found == md5 or not resumed:
            return found
        # The older bytes may come from another mirror or another version of the file.
        report(f"{url}: the resumed file has md5 {found} instead of {md5}, starting from zero.")
        part.unlink()


def _transfer(url: str, part: Path, limits: Limits, report: Callable) -> None:
    """One request. Appends to `part` where the server continues it, else starts it anew."""
    start = _size(part)
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=limits.idle) as response:
            if start and not _continues(response, start):
                start = 0  # the server sends the whole file
            length = response.headers.get("Content-Length")
            total = start + int(length) if length else None
            if total is not None and total > limits.most:
                raise _too_large(part, limits)
            _check_space(part, total, start)
            _store(response, part, start, total, limits, report)
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


def _store(response, part: Path, start: int, total: int | None, limits: Limits, report: Callable) -> None:
    began = said = time.monotonic()
    size = start
    with _writable(part, total), part.open("ab" if start else "wb") as stream:
        for block in _receive(response):
            stream.write(block)
            size += len(block)
            if size > limits.most:
                raise _too_large(part, limits)
            if time.monotonic() > limits.end:
                raise _too_long(part, size)
            if (now := time.monotonic()) - said >= REPORT_SECONDS:
                said = now
                of = f" of {_megabytes(total)} MB ({100 * size / total:.0f} %)" if total else " MB"
                speed = (size - start) / (now - began) / 1e6
                report(f"{part.stem}: {_megabytes(size)}{of}, {speed:.1f} MB/s")
    if total is not None and size != total:  # a closed connection ends a response without an exception
        raise _Broken(f"the connection ended after {size} of {total} bytes")


def _receive(response) -> Iterator[bytes]:
    """The body, block by block; of a slow server what arrives within a second, so that it can be kept and said."""
    more = True
    while more:
        block, end = bytearray(), time.monotonic() + 1
        broken = None
        try:
            while len(block) < BLOCK and time.monotonic() < end and (more := response.read1(BLOCK - len(block))):
                block += more
        except (http.client.HTTPException, OSError) as error:
            broken = _Broken(f"the connection broke ({error or type(error).__name__})")
            broken.__cause__ = error
        if block:
            yield bytes(block)
        if broken:
            raise broken


@contextlib.contextmanager
def _writable(part: Path, total: int | None) -> Iterator[None]:
    """Make an OSError of the disk end the download; one of the network is a _Broken by then (see `_receive`)."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(part, total) from error
        raise InputError(f"{part} cannot be written ({error}): make its folder writable and start again.") from error


def _too_large(part: Path, limits: Limits) -> _Failure:
    part.unlink(missing_ok=True)
    return _Failure(f"the server sends more than {limits.most / 1e9:g} GB (download_gb), cut off")


def _too_long(part: Path, size: int) -> InputError:
    return InputError(
        f"{part.stem} did not arrive in time: {_megabytes(size)} MB are in {part}, and the next start goes on from there; a faster "
        "mirror in `urls` helps."
    )


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
