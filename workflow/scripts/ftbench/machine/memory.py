"""Memory that a training step frees stays with the process, for the next step to use.

glibc gives large blocks back to the kernel as soon as they are freed, and gets them again, page by page and zeroed, in the
next step: with activations of many megabytes that took a tenth to a third of a training step on two CPU cores
(docs/speed.md). Kept, they change no result. The peak of memory can grow, since a kept block is of use only to what fits
into it: a training step of ResNet-18 at 128 pixels took 8 % more in bfloat16 and 35 % more in float32, at 32 pixels as much
as before. FTBENCH_KEEP_MEMORY=0 in the environment turns it off; so does a tuning of the user's own, or another allocator.
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGEST_BLOCK = 1 << 30  # bytes; larger blocks are still the kernel's own
NEVER = -1


def keep_freed_memory() -> bool:
    """Let malloc keep what is freed; returns whether it does now. Elsewhere than on glibc nothing changes."""
    tuned = [name for name in os.environ if name.startswith("MALLOC_") or name in ("GLIBC_TUNABLES", "LD_PRELOAD")]
    if tuned or os.environ.get("FTBENCH_KEEP_MEMORY") == "0":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)) and bool(mallopt(M_TRIM_THRESHOLD, NEVER))
