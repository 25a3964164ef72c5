"""What a job takes beyond its own work, here and through Slurm: starting Snakemake and Python, imports, reading, writing.

The job is a linear probe; its work is what its log says that the fits took. Through Slurm it runs on a private cluster of this
host (tests/cluster) with the shipped profile, and takes as long as it holds its node, from "Launching" to "done" in the node's
log, which has milliseconds. How long it waits for a node, and until the driver looks again, is not in it.
"""

import contextlib
import re
import statistics
import sys
import tempfile
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where a test loads this file by its path
from _common import ROOT, add_work, parser, room

sys.path[:0] = [str(ROOT / folder) for folder in ("tests/cluster", "tests/workflow", "tests")]

import overhead  # noqa: E402
from slurm import Cluster, Driver, edit_profile, slurm_is_installed  # noqa: E402
from studies import WEIGHTS, Clone, settings, tiny, write_weights  # noqa: E402

SLURM_IMPORTS = (
    4.5  # the target of a job through Slurm, in imports of torch; that of a job without it is in overhead.py
)
JOBS = 6
AT_ONCE = 4
PROBES = [f"probe{number}" for number in range(JOBS)]
LAUNCHED = re.compile(r"^\[(\S+)\] Launching batch job (\d+) ", re.M)
DONE = re.compile(r"^\[(\S+)\] \[(\d+)\.batch\] done with job$", re.M)


def measure(quick: bool = False, work: Path | None = None) -> list[dict]:
    """[{name, value, unit, target}], the value a median over jobs: of a job here, and of jobs through Slurm where it is installed.

    Jobs of four at once share the cores of this host, so they have no target. Quick: one job of few images, here alone. `work` keeps what
    the jobs read.
    """
    with room(work) as name:
        rows = [overhead.measure(Path(name), quick=quick)]
        if quick:
            print("start-up through Slurm is left out of a quick run")
            return rows
        if not slurm_is_installed():
            print("start-up through Slurm is left out: Slurm is not installed here (make test-slurm installs Debian's)")
            return rows
        clone = prepared(Path(name) / "clone")
        for at_once, target in ((1, SLURM_IMPORTS * rows[0]["torch_s"]), (AT_ONCE, None)):
            beyond = through_slurm(clone, at_once)
            value, maximum = statistics.median(beyond), max(beyond)
            rows.append(
                {"name": f"slurm_job_overhead_{at_once}_at_once_s", "value": value, "unit": "s", "target": target}
            )
            rows[-1]["maximum"] = maximum
            print(
                f"{rows[-1]['name']}: median {value:.1f} s, maximum {maximum:.1f} s of {len(beyond)} jobs beyond the fits"
            )
    return rows


def prepared(root: Path) -> Clone:
    """A study of some linear probes, with all that they read already made."""
    if (root / "study.yaml").exists():
        return Clone(root)
    study = settings(backbones={"pretrained": tiny()["backbones"]["pretrained"]})
    clone = Clone.of_repository(root, study | {"strategies": {name: {"kind": "linear_probe"} for name in PROBES}})
    write_weights(root / WEIGHTS)
    edit_profile(clone)
    clone.snakemake("results/tiny/features/digits/pretrained/train.npy")
    return clone


def through_slurm(clone: Clone, at_once: int) -> list[float]:
    """Seconds that every probe's job held its node, less those of its fits; so many are in the queue at one time."""
    targets = [f"results/tiny/runs/digits/pretrained/{name}/seed0/run.json" for name in PROBES]
    options = ("--jobs", str(at_once), "--forcerun", "fit_probe")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True))
        Path(folder).chmod(0o755)  # munge wants every folder above its socket open to all
        cluster = Cluster(Path(folder) / "0")
        stack.callback(cluster.down)
        cluster.up()
        driver = Driver(clone, cluster.environment(), *targets, *options)
        stack.callback(driver.kill)
        driver.finish()
        jobs = {job["Comment"].rpartition("_")[2]: number for number, job in cluster.jobs().items()}
        held = seconds_held((cluster.folder / "log/slurmd-cpu1.log").read_text())
    logs = {name: clone.path(f"logs/fit_probe/digits/pretrained/{name}.log") for name in PROBES}
    return [held[jobs[name]] - overhead.fit_seconds(logs[name]) for name in PROBES]


def seconds_held(log: str) -> dict[str, float]:
    """{job id: seconds} from a log of slurmd."""
    begun, done = (
        {job: datetime.fromisoformat(time) for time, job in found.findall(log)} for found in (LAUNCHED, DONE)
    )
    return {job: (done[job] - begun[job]).total_seconds() for job in done}


if __name__ == "__main__":
    options = parser(__doc__)
    add_work(options)
    arguments = options.parse_args()
    measure(arguments.quick, arguments.work)
