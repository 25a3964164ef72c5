"""How much memory this process may still take: the machine's, its control group's, and its own limits, whichever is least.

A batch job or a container often has a limit far below the machine's memory, and whoever goes beyond it is killed without a word.
"""

import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

CGROUP, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# (folder of the hierarchy, limit, use) of versions 2 and 1 of control groups.
FILES = {
    "": ("", "memory.max", "memory.current"),
    "memory": ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
}


def free_memory() -> int:
    """Bytes that this process may still take, at least 0."""
    return max(0, min([psutil.virtual_memory().available, *_left_in_groups(), *_left_of_limits()]))


def _left_in_groups() -> Iterator[int]:
    """What the limit of this process's control group, and of each above it, leaves. Inactive pages of files count as free."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:
        return  # no Linux
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for version in set(controllers.split(",")) & set(FILES):
            folder, limit, use = FILES[version]
            top = CGROUP / folder
            group = top / path.lstrip("/")
            # Inside a container the path is that of the host, and the group lies at the top.
            for place in (group, *group.parents) if group.is_dir() else (top,):
                if not place.is_relative_to(top):
                    break
                most, used = _number(place / limit), _number(place / use)
                if most is not None and used is not None:
                    yield most - used + _inactive(place)


def _inactive(place: Path) -> int:
    """Bytes of files that the kernel gives up before it ends a process."""
    try:
        entries = dict(line.split() for line in (place / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(entries.get("total_inactive_file", entries.get("inactive_file", 0)))


def _number(path: Path) -> int | None:
    """The number in a file; None if there is none, as where the limit is "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _left_of_limits() -> Iterator[int]:
    """What the process's own limits (`ulimit -v`, `ulimit -d`) leave."""
    used = psutil.Process().memory_info()
    for limit, taken in ((resource.RLIMIT_AS, used.vms), (resource.RLIMIT_DATA, getattr(used, "data", used.rss))):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY:
            yield most - taken
