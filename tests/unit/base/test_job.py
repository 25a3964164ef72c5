"""A job in a process of its own: it takes over the process's output."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
HEAD = """
import os, sys
from types import SimpleNamespace
from ftbench.base.errors import InputError
from ftbench.base.job import job

snakemake = SimpleNamespace(log=["logs/deep/er.log"], rule="train", wildcards={"dataset": "d", "seed": 3}, threads=2, resources={}, params={}, input=[])
with job(snakemake):
"""


def run(folder: Path, *lines: str, head: str = HEAD) -> subprocess.CompletedProcess:
    """Run a job whose body is `lines` in `folder`; its log is logs/deep/er.log there."""
    code = head + "\n".join(f"    {line}" for line in lines)
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": str(SCRIPTS)},
                          capture_output=True, text=True)  # fmt: skip


def log(folder: Path) -> Path:
    return folder / "logs" / "deep" / "er.log"


def test_all_output_goes_to_the_log_in_the_order_it_was_made(tmp_path):
    done = run(
        tmp_path,
        "print('one')",
        "os.write(1, b'two\\n')",  # as a C library does
        "print('three', file=sys.stderr)",
        "sys.stderr.flush()",
        "os.system('echo four; echo five >&2')",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    first, *lines, last = log(tmp_path).read_text().splitlines()
    assert lines == ["one", "two", "three", "four", "five"]
    assert first.startswith("train d 3: started 2") and first.endswith("2 threads")
    assert last.startswith("train d 3: done in ") and last.endswith(" s")


def test_the_log_can_be_followed_while_the_job_runs(tmp_path):
    run(tmp_path, "print('here')", "assert 'here' in open('logs/deep/er.log').read(), 'buffered'")
    assert "done in" in log(tmp_path).read_text()


def test_an_input_error_is_its_sentence_and_no_traceback(tmp_path):
    done = run(tmp_path, "print('working')", "raise InputError('config: epochs is 0; it must be at least 1.')")
    kept = log(tmp_path).with_name("er.log.failed")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.split("\n")[1:] == [
        "train d 3: config: epochs is 0; it must be at least 1.",
        "(the log is kept in logs/deep/er.log.failed)",
        "",
    ]
    text = log(tmp_path).read_text()
    assert text.endswith("working\nconfig: epochs is 0; it must be at least 1.\n") and "Traceback" not in text
    assert kept.read_text() == text


def test_any_other_error_shows_its_traceback_in_both_places(tmp_path):
    done = run(tmp_path, "print('working')", "raise ZeroDivisionError('surprise')")
    text = log(tmp_path).read_text()
    assert done.returncode == 1
    for shown in (done.stderr, text):
        assert shown.count("Traceback") == 1 and "ZeroDivisionError: surprise" in shown
    assert "train d 3 failed:" in done.stderr
    assert log(tmp_path).with_name("er.log.failed").read_text() == text


def test_a_stopped_job_keeps_its_exit_code(tmp_path):
    done = run(tmp_path, "raise SystemExit(143)")
    assert done.returncode == 143
    assert "done in" not in log(tmp_path).read_text()


def test_success_removes_what_an_earlier_failure_kept(tmp_path):
    run(tmp_path, "raise InputError('no.')")
    kept = log(tmp_path).with_name("er.log.failed")
    assert kept.exists()
    run(tmp_path, "pass")
    assert not kept.exists() and "no." not in log(tmp_path).read_text()


def test_on_a_full_disk_the_sentence_comes_first_and_needs_no_copy_of_the_log(tmp_path):
    log(tmp_path).parent.mkdir(parents=True)
    log(tmp_path).symlink_to("/dev/full")
    done = run(tmp_path, "print('working')")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.split("\n") == [
        "",
        "train d 3: No space left on the disk (logs/deep/er.log): free some space and start again.",
        "(the log could not be kept: No space left on device)",
        "",
    ]
    assert not log(tmp_path).with_name("er.log.failed").exists()


def test_a_full_disk_that_a_library_meets_is_one_sentence_with_the_file(tmp_path):
    done = run(tmp_path, "import errno", "raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), 'results/a.npy')")
    assert "train d 3: No space left on the disk (results/a.npy): free some space and start again.\n" in done.stderr
    assert "Traceback" not in done.stderr + log(tmp_path).read_text()


def test_memory_that_runs_out_is_one_sentence_on_the_terminal_and_the_whole_in_the_log(tmp_path):
    done = run(
        tmp_path,
        'raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can\'t allocate memory")',
    )
    assert done.returncode == 1 and "Traceback" in log(tmp_path).read_text()
    said = done.stderr.splitlines()[1]
    assert said.startswith("train d 3: Not enough memory ([enforce fail") and said.endswith("or lower `batch_size`.")
    assert "Traceback" not in done.stderr


INTERRUPT = "import signal; os.kill(os.getpid(), signal.SIGINT)"


@pytest.mark.parametrize("lines", [
    [INTERRUPT],
    ["try:", f"    {INTERRUPT}", "except BaseException as error:", "    raise RuntimeError from error"],  # as some imports do
])  # fmt: skip
def test_ctrl_c_leaves_the_terminal_to_the_one_line_of_the_study(tmp_path, lines):
    done = run(tmp_path, *lines)
    assert done.returncode == 130 and done.stderr == ""
    assert log(tmp_path).read_text().splitlines()[-1] == "interrupted; the next start goes on from here."


@pytest.mark.parametrize("given, order", [({}, "PCI_BUS_ID"), ({"CUDA_VISIBLE_DEVICES": "0,1"}, None)])
def test_a_leased_gpu_has_the_number_of_nvidia_smi_unless_the_user_gave_the_numbers(tmp_path, given, order):
    """CUDA by itself puts the fastest device first."""
    lists = tmp_path / "nvidia-smi"
    lists.write_text("#!/bin/sh\necho 'GPU 0: one (UUID: a)'\necho 'GPU 1: two (UUID: b)'\n")
    lists.chmod(0o755)
    (tmp_path / "leases").mkdir()
    body = "    print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ.get('CUDA_DEVICE_ORDER'))"
    done = subprocess.run(
        [sys.executable, "-c", HEAD.replace("resources={}", "resources={'gpu': 1}") + body],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(SCRIPTS),
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "FTBENCH_LEASES": str(tmp_path / "leases"),
        }
        | given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert log(tmp_path).read_text().splitlines()[1:3] == ["GPU 0 leased", f"0 {order}"]
