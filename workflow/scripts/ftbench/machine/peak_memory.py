"""The most memory that this process has taken so far, without torch."""

import contextlib
import platform
import resource


def peak_resident_mb() -> float:
    """Peak of the resident set in MB."""
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("VmHWM:"):  # getrusage's peak would include that of the process this one was forked from
                return int(line.split()[1]) * 1024 / 1e6
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * 1024 / 1e6 if platform.system() == "Linux" else kilobytes / 1e6  # macOS counts bytes
