"""What a process frees stays with it, unless the user said otherwise."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
BLOCK_MB = 64
PROGRAM = f"""
import numpy as np, psutil
from ftbench.machine.memory import keep_freed_memory
kept = keep_freed_memory()
before = psutil.Process().memory_info().rss
block = np.ones({BLOCK_MB} << 20, np.uint8)
del block
print(kept, (psutil.Process().memory_info().rss - before) >> 20)
"""


def freed(**environment) -> tuple[bool, int]:
    """(what the function said, MB that a freed block still holds) in a process of its own."""
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith("MALLOC_") and k not in ("GLIBC_TUNABLES", "LD_PRELOAD")
    }
    clean.pop("FTBENCH_KEEP_MEMORY", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=clean | {"PYTHONPATH": str(SCRIPTS)} | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said, left = done.stdout.split()
    return said == "True", int(left)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_freed_block_stays_with_the_process():
    said, left = freed()
    assert said and left >= BLOCK_MB - 1


@pytest.mark.parametrize(
    "name, value",
    [
        ("FTBENCH_KEEP_MEMORY", "0"),
        ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=7"),
    ],
)
def test_the_switch_and_the_users_own_settings_leave_malloc_alone(name, value):
    said, left = freed(**{name: value})
    assert not said and left < BLOCK_MB // 2
