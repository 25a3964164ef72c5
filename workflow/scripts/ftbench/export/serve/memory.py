"""Memory of large uploads goes back to the machine as soon as they are answered.

glibc gives large blocks back when they are freed, but raises the size from which it does so with every such block, up to 32 MB: eight clients
with requests of 20 MB left a server with 2.9 GB. The size is fixed here. A tuning of the user's own, or another allocator, is left alone.
"""

import ctypes
import os

M_MMAP_THRESHOLD = -3  # malloc.h
RETURNED = 1 << 22  # bytes: more than most arrays of an answer, less than a large photo


def return_freed_memory() -> bool:
    """Let malloc give every block of `RETURNED` bytes or more back when it is freed; returns whether it does now."""
    if any(name.startswith("MALLOC_") or name in ("GLIBC_TUNABLES", "LD_PRELOAD") for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_MMAP_THRESHOLD, RETURNED))
