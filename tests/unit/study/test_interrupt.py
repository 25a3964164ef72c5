"""Ctrl-C in a process of its own: what it says on the terminal, and what is left in a log file."""

import subprocess
import sys
from pathlib import Path

import pytest

from ftbench.study.driver.interrupt import LINE, STATUS

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
DRIVER = """
import logging, os, signal, sys
from ftbench.study.driver.interrupt import end_with_one_line

if "ignored" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
logger = logging.getLogger("driver")
logger.addHandler(logging.StreamHandler())
logger.addHandler(logging.FileHandler("driver.log"))
end_with_one_line(logger)
logger.error("before")
try:
    os.kill(os.getpid(), signal.SIGINT)
except SystemExit as ended:
    logger.error("a list of jobs")
    sys.exit(ended.code)
logger.error("after")
"""


@pytest.mark.parametrize("ignored, terminal, log, status", [
    ([], f"before\n\n{LINE}\n", "before\na list of jobs\n", STATUS),
    (["ignored"], "before\nafter\n", "before\nafter\n", 0),
])  # fmt: skip
def test_one_line_for_the_terminal_and_the_rest_for_the_log(tmp_path, ignored, terminal, log, status):
    done = subprocess.run([sys.executable, "-c", DRIVER, *ignored], cwd=tmp_path, env={"PYTHONPATH": str(SCRIPTS)},
                          capture_output=True, text=True)  # fmt: skip
    assert (done.stderr, (tmp_path / "driver.log").read_text(), done.returncode) == (terminal, log, status)
