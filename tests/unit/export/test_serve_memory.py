"""A server gives the memory of an upload back, and leaves a tuning of the user's own alone."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
PROGRAM = """
import os
from ftbench.export.serve.memory import return_freed_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
said, before = return_freed_memory(), resident()
for _ in range(3):
    upload = bytearray(b"x" * 20_000_000)
    del upload
print(said, resident() - before < 5)
"""


def asked(**given: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    environment = clean | {"PYTHONPATH": str(SCRIPTS)} | given
    return subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True).stdout


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_uploads_go_back_unless_the_user_tuned_malloc():
    assert asked() == "True True\n"
    assert asked(MALLOC_ARENA_MAX="2").startswith("False ")
