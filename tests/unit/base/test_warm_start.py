"""A job that a server forks is what `python script` would be: its output, exit status, signals, environment and path."""

import inspect
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from ftbench.base.warm import server
from ftbench.base.warm import start as warm

PATIENCE = 60  # seconds


@pytest.fixture
def servers(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    servers = warm.Servers()
    yield servers
    servers.close()


@pytest.fixture
def start(servers, tmp_path):
    """Start a job of the given text."""

    def start(
        text: str, name: str = "rule", threads: int = 1, temporary: str | None = None, imports: tuple = ()
    ) -> warm.Job:
        script = tmp_path / f"{abs(hash(text))}.py"
        script.write_text(text)
        return servers.start(str(script), name, threads, temporary, imports)

    return start


def server_of(job: warm.Job) -> psutil.Process:
    return psutil.Process(job.pid).parent()


ENDS = {
    "pass": 0,
    "import sys; sys.exit()": 0,
    "import sys; sys.exit(3)": 3,
    "import sys; sys.exit('why')": 1,
    "raise ValueError('why')": 1,
    "1 +": 1,
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)": -signal.SIGTERM,
    "import os; os._exit(7)": 7,
    "import threading, time, os\nthreading.Thread(target=lambda: (time.sleep(0.2), os._exit(5))).start()": 5,
}


@pytest.mark.parametrize("text", ENDS)
def test_it_ends_as_python_would(start, text):
    assert start(text).wait() == ENDS[text]


@pytest.mark.parametrize("text", [text for text in ENDS if "kill" not in text])
def test_the_table_above_is_pythons(text):
    assert subprocess.run([sys.executable, "-c", text], capture_output=True).returncode == ENDS[text]


def test_what_it_prints_and_what_is_raised_is_seen(start, capfd):
    assert (
        start(
            "import sys; print('out'); sys.stderr.write('err\\n'); import atexit; atexit.register(print, 'last')"
        ).wait()
        == 0
    )
    assert start("raise ValueError('because')").wait() == 1
    out, err = capfd.readouterr()
    assert out.split() == ["out", "last"] and err.startswith("err\n") and "ValueError: because" in err


def test_environment_folder_path_and_name_are_those_of_a_job(start, tmp_path, capfd):
    there = tmp_path / "temporary"
    there.mkdir()
    text = (
        "import os, sys, tempfile\n"
        "print(os.getcwd(), os.environ['OMP_NUM_THREADS'], os.environ['VECLIB_MAXIMUM_THREADS'], tempfile.gettempdir())\n"
        "print(__name__, sys.argv[0] == __file__, sys.path[0], open('/proc/self/comm').read().strip())"
    )
    assert start(text, name="select_a_recipe_of_many", threads=2, temporary=str(there)).wait() == 0
    assert capfd.readouterr().out.split() == [
        *(str(tmp_path), "2", "2", str(there)),
        *("__main__", "True", str(tmp_path), "select_a_recipe_of_many"[:15]),
    ]


def test_ps_shows_what_a_job_runs_however_long_its_name_is(start, tmp_path):
    job = start("import time; time.sleep(60)")
    shown = psutil.Process(job.pid)
    deadline = time.monotonic() + PATIENCE
    while "server.py" in " ".join(shown.cmdline()) and time.monotonic() < deadline:
        time.sleep(0.02)
    (script,) = tmp_path.glob("*.py")
    assert shown.cmdline() == [sys.executable, str(script)]
    shown.kill()
    assert job.wait() == -signal.SIGKILL
    code = "import sys; sys.path.insert(0, sys.argv[1]); import server; server._show('x' * 5000); print(open('/proc/self/cmdline').read())"
    done = subprocess.run(
        [sys.executable, "-c", code, warm.SERVER.parent, "." * 100], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.strip("\0\n")) == {"x"} and len(done.stdout) > 100


@pytest.mark.parametrize("stat", [None, "", "1 (python) S 1 1", "1 (a ) b) " + "0 " * 50])
def test_a_system_that_does_not_say_where_arguments_lie_is_left_alone(tmp_path, stat):
    if stat is not None:
        (tmp_path / "stat").write_text(stat)
    assert server._arguments(tmp_path / "stat") == (0, 0)


def test_threads_and_folders_are_named_as_snakemake_names_them(monkeypatch):
    from snakemake.shell import shell

    source = Path(inspect.getfile(shell)).read_text()
    given = warm.environment(2, "/there")
    assert set(re.findall(r'envvars\["(\w+)"\] = threads', source)) == {
        name for name, value in given.items() if name.endswith("_THREADS")
    }
    assert set(re.findall(r'envvars\["(\w+)"\] = tmpdir_resource', source)) == {
        name for name, value in given.items() if value == "/there"
    }


def test_a_library_of_one_job_is_there_for_the_next_and_for_no_single_one(start, capfd):
    there = "import sys; print('numpy' in sys.modules)"
    for text in (there, "import numpy", there, there):
        assert start(text).wait() == 0
    assert capfd.readouterr().out.split() == ["False", "True", "True"]


def test_what_a_job_imports_for_certain_is_there_for_the_first_and_leaves_no_thread_in_the_server(start, capfd):
    """pandas is what brings a thread, unless it is told not to; what takes no time is the job's own affair."""
    there = "import sys; print('numpy' in sys.modules, 'pandas' in sys.modules, 'colorsys' in sys.modules)"
    assert start(there, imports=("pandas", "colorsys", "ftbench.base")).wait() == 0
    assert capfd.readouterr().out.split() == ["True", "True", "False"]
    assert start("import os; print('JE_ARROW_MALLOC_CONF' in os.environ)").wait() == 0
    assert capfd.readouterr().out.split() == ["False"]
    job = start("import time; time.sleep(60)")
    assert server_of(job).num_threads() == psutil.Process(job.pid).num_threads() == 1
    psutil.Process(job.pid).kill()
    assert job.wait() == -signal.SIGKILL


def test_jobs_share_nothing_else(start, capfd):
    assert (
        start("import sys, os, colorsys; colorsys.mine = 1; os.environ['MINE'] = '1'; sys.path.append('mine')").wait()
        == 0
    )
    assert (
        start(
            "import sys, os, colorsys; print(hasattr(colorsys, 'mine'), 'MINE' in os.environ, 'mine' in sys.path)"
        ).wait()
        == 0
    )
    assert capfd.readouterr().out.split() == ["False", "False", "False"]


def test_a_package_that_the_next_job_edits_is_read_anew(start, tmp_path, capfd):
    text = "import edited; print(edited.value)"
    for value in (1, 22):
        (tmp_path / "edited.py").write_text(f"value = {value}")
        assert start(text).wait() == 0
    assert capfd.readouterr().out.split() == ["1", "22"]


def test_many_run_at_once_and_each_gets_its_own_status(start):
    jobs = [start(f"import time, sys; time.sleep({0.02 * (5 - k)}); sys.exit({k})") for k in range(5)]
    assert [job.wait() for job in jobs] == [0, 1, 2, 3, 4]
    assert len({job.pid for job in jobs}) == 5


def test_ctrl_c_reaches_the_job_and_spares_the_server(start):
    job = start("import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    raise SystemExit(130)")
    server = server_of(job)
    time.sleep(0.5)  # until the script runs
    for process in (server.pid, job.pid):
        os.kill(process, signal.SIGINT)
    assert job.wait() == 130 and server.is_running()


def test_ctrl_c_while_libraries_are_imported_ends_the_job_that_waits_for_them(start, tmp_path, monkeypatch, capfd):
    (tmp_path / "timm.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert start("print('ran')", imports=("timm",)).wait() == server.INTERRUPTED
    assert start("print('next')", imports=("timm",)).wait() == 0
    assert capfd.readouterr().out.split() == ["next"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_program_is_for_the_job_which_may_save_and_spares_the_server(start, tmp_path, number):
    """A shutdown, the end of an allocation and a closed terminal signal every process of the group."""
    saves = "def save(*_):\n    time.sleep(0.5)\n    open('saved', 'w')\n    raise SystemExit(143)\n"
    job = start(
        f"import signal, time\n{saves}signal.signal({int(number)}, save)\nopen('runs', 'w')\ntime.sleep(60)",
    )
    server = server_of(job)
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "runs").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in (server.pid, job.pid):
        os.kill(process, number)
    assert job.wait() == 143 and (tmp_path / "saved").exists() and server.is_running()
    ignored = signal.getsignal(number) is signal.SIG_IGN  # as SIGHUP is under nohup
    alone = start(f"import os\nos.kill(os.getpid(), {int(number)})")  # it has Python's own answer
    assert alone.wait() == (0 if ignored else -number)


@pytest.mark.parametrize("text", ["raise ValueError('numpy.dtype size changed')", "raise RuntimeError('no operator')"])
def test_a_library_that_cannot_be_imported_is_left_to_the_job_and_harms_no_other(
    start, tmp_path, monkeypatch, capfd, text
):
    (tmp_path / "timm.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    job = start("import time; time.sleep(1)")
    server = server_of(job)
    assert start("import timm", imports=("timm.models",)).wait() == 1
    assert text[6:16] in capfd.readouterr().err
    assert job.wait() == 0 and server.is_running()


def test_the_server_imports_the_packages_of_what_a_job_imports_and_not_torchs_compiler(start, capfd):
    assert warm.worth_importing(["torchvision.models", "scipy.stats", "json", "timm"]) == {
        "torchvision",
        "scipy.stats",
        "timm",
    }
    text = "import sys\nprint('timm' in sys.modules, 'torch._dynamo.eval_frame' in sys.modules)"
    assert start(text, imports=("timm.models",)).wait() == 0
    assert capfd.readouterr().out.split() == ["True", "False"]


def test_with_its_server_a_job_is_killed_and_the_next_gets_another(start):
    job = start("import time; time.sleep(60)")
    process, server = psutil.Process(job.pid), server_of(job)
    server.kill()
    assert job.wait() == -signal.SIGKILL
    assert process.wait(PATIENCE) is None or not process.is_running()
    with pytest.raises(OSError):
        start("pass")
    assert start("pass").wait() == 0


def test_a_server_that_ends_before_the_job_has_started_is_not_waited_for(start):
    job = start("import time; time.sleep(60)")
    server = server_of(job)
    server.suspend()  # the next request lies there unread
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(start, "pass")
        time.sleep(0.3)
        server.kill()
        with pytest.raises(OSError):
            asked.result(PATIENCE)
    assert job.wait() == -signal.SIGKILL


def test_a_server_ends_when_the_other_side_does_and_its_jobs_go_on(servers, start, tmp_path):
    job = start("import time; time.sleep(1); open('done', 'w')")
    server = server_of(job)
    servers.close()
    assert not server.is_running()
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "done").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (tmp_path / "done").exists()


def test_it_can_be_turned_off(monkeypatch):
    monkeypatch.delenv(warm.OFF, raising=False)
    assert warm.wanted()
    monkeypatch.setenv(warm.OFF, "0")
    assert not warm.wanted()
