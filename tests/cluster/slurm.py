"""A one-host Slurm for the tests, the shipped profile edited for it as a site would, and drivers that run on it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import yaml
from studies import Clone, environment, tiny

HERE = Path(__file__).parent
PATIENCE = 600.0  # seconds to wait for any one event
SITE = {
    "cpu": {"max_runtime": 1440, "max_mem_mb": 64000, "max_threads": 4},
    "gpu": {"max_runtime": 1440, "max_mem_mb": 64000, "max_threads": 4, "max_gpu": 2},
}


def wait_for(what: str, happened, patience: float = PATIENCE):
    """Poll `happened` until it returns something true, and return that."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = happened()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"no {what} within {patience:.0f} s")


class Cluster:
    """The cluster whose whole state lies in `folder`: one CPU node, one GPU node with two GPUs that are links to /dev/null."""

    options = ("--cpu-nodes", "1", "--gpu-nodes", "1", "--cpus", "4", "--mem-mb", "64000", "--gpus", "2")

    def __init__(self, folder: Path, number: int = 0):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        # 20 ports each, below those that the kernel gives away; sessions and clusters stand beside each other
        self.port = str(17000 + (os.getpid() * 8 + number) % 750 * 20)

    def up(self, install: bool = False) -> None:
        """Start what is not running; the second time it brings back a controller or a node that was stopped."""
        command = [HERE / "up.sh", self.folder, *self.options, "--port-base", self.port]
        done = subprocess.run([*command, *([] if install else ["--no-install"])], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def down(self) -> None:
        subprocess.run([HERE / "down.sh", self.folder], check=False)

    def environment(self) -> dict:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return {"SLURM_CONF": str(self.folder / "etc/slurm.conf"), "PATH": path}

    def call(self, *command: str) -> str:
        done = subprocess.run(command, env=environment(self.environment()), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def jobs(self) -> dict[str, dict]:
        """{job id: fields of `scontrol show job`} of all jobs that the controller remembers."""
        jobs = {}
        for line in self.call("scontrol", "show", "job", "-o").splitlines():
            fields = dict(re.findall(r"(?:^| )([\w/:]+)=(\S*)", line))
            if "JobId" in fields:
                jobs[fields["JobId"]] = fields
        return jobs

    def jobs_in(self, folder: Path) -> dict[str, dict]:
        """The jobs that were submitted from `folder`."""
        return {number: job for number, job in self.jobs().items() if job["WorkDir"] == str(folder)}

    def kill_node(self, node: str) -> None:
        """SIGKILL to a node's slurmd and to all that it started, as when a machine loses power; `up` starts slurmd again."""
        log = str(self.folder / f"log/slurmd-{node}.log")  # which only the daemons of this node hold open
        running = psutil.process_iter(["name", "open_files"])
        daemons = [process for process in running if process.info["name"] in ("slurmd", "slurmstepd")]
        daemons = [process for process in daemons if log in {file.path for file in process.info["open_files"] or ()}]
        lost = {*daemons, *(child for process in daemons for child in process.children(recursive=True))}
        for number in (signal.SIGSTOP, signal.SIGKILL):  # first all stand still: none reports the end of another
            for process in lost:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    def stop_controller(self) -> None:
        """Stop slurmctld; jobs go on, and `up` starts it again.

        Ended by SIGTERM it writes down what it knows. A crash loses up to five seconds of that, and a job that it started in
        them comes back to it as a stranger: Slurm then starts it again and takes the node out of service ("Duplicate jobid"),
        whatever submitted it.
        """
        process = psutil.Process(int((self.folder / "run/slurmctld.pid").read_text()))
        process.terminate()
        process.wait(60)


def small_study() -> dict:
    """One data set, a pretrained network and a random one, a probe and a tuned strategy, each on one seed."""
    return {
        "study": "tiny",
        "seeds": [0],
        "device": "auto",  # so that training asks for a GPU; torch finds none behind it and takes the CPU
        "threads": 1,
        "datasets": {"digits": {"source": "digits", "train_limit": 16, "validation_fraction": 0.25, "flip": False}},
        "backbones": tiny()["backbones"],
        "training": {"epochs": 2, "batch_size": 16, "optimizer": "adamw", "warmup_steps": 2, "augmentation": "crop"},
        "tuning": {"trials": 2},
        "strategies": {
            "linear_probe": {"kind": "linear_probe"},
            "scratch": {"kind": "scratch", "learning_rate": [0.01, 0.03]},
        },
        "exclude": [{"backbone": "pretrained", "strategy": "scratch"}],
    }


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Replace each regular expression, which must occur exactly once per line that it matches, in the file."""
    text = path.read_text()
    for old, new in changes:
        text, count = re.subn(old, new, text, flags=re.M)
        assert count, f"{path} has no {old}"
    path.write_text(text)


def edit_profile(clone: Clone, *changes: tuple[str, str]) -> None:
    """What a site edits: partitions and sizes of groups, and here shorter waits; `changes` come on top."""
    folder = clone.root / "profiles/slurm"
    (folder / "partitions.yaml").write_text(yaml.safe_dump({"partitions": SITE}))
    edit(
        folder / "profile.yaml",
        (r"^slurm-init-seconds-before-status-checks: .*", "slurm-init-seconds-before-status-checks: 1"),
        (r"^latency-wait: .*", "latency-wait: 10"),
        (r"^  (scores|tables|figures): \d+$", r"  \1: 4"),  # nodes of four CPUs
        *changes,
    )


class Driver:
    """A Snakemake that submits a clone's jobs with the shipped profile; what it prints is kept in a file."""

    def __init__(self, clone: Clone, more: dict, *arguments: str):
        self.clone = clone
        self.output = clone.root / f"driver{len(list(clone.root.glob('driver*.txt')))}.txt"
        self.begun = time.time()
        with self.output.open("w") as stream:
            self.process = subprocess.Popen(
                command(*arguments),
                cwd=clone.root,
                env=environment(more),
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def printed(self) -> str:
        return self.output.read_text()

    def finish(self, patience: float = 900.0, fails: bool = False) -> str:
        """Wait until it ends and return what it printed."""
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the driver still waits:\n{self.printed()}") from None
        assert (status != 0) == fails, self.printed()
        return self.printed()

    def kill(self) -> None:
        """SIGKILL to the driver and its children; the jobs that it submitted are no children of it."""
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            for process in (*children, self.process):
                process.kill()
            self.process.wait()


def end_all_in(folder: Path) -> None:
    """SIGKILL to every process that works in `folder`: a cancelled job can leave its Snakemake behind where Slurm has no cgroups."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder):
                process.kill()


def command(*arguments: str) -> list[str]:
    own = ("--workflow-profile", "profiles/slurm", "--configfile", "study.yaml")
    return [sys.executable, "-m", "snakemake", *arguments, *own]


def slurm_is_installed() -> bool:
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return all(shutil.which(name, path=path) for name in ("munged", "slurmctld", "slurmd", "sbatch"))
