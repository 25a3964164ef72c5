"""What a probe job takes beyond its work: starting Python, imports, reading and writing, measured on a real Snakemake job.

The wall time is Snakemake's own (`benchmark:`), the work is what the job's log says that the fits took.
"""

import csv
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from _common import ROOT, add_work, parser, room  # isort: skip
from ftbench.base.warm import start as warm

IMPORTS = 2.0  # the target: as long as so many imports of torch, since machines differ
RUN = "runs/digits-64/efficientnet_lite0/linear_probe/seed0/run.json"


def measure(folder: Path, repeats: int = 3, quick: bool = False) -> dict:
    """The median over `repeats` runs of the demo's probe job, in a working directory below `folder`; quick: one, of few images."""
    work = folder / "overhead"
    study = work / "results" / ("demo_smoke" if quick else "demo")
    repeats = 1 if quick else repeats
    command = [sys.executable, "-m", "snakemake", (study / RUN).relative_to(work), "--snakefile", ROOT / "Snakefile",
               "--directory", work, "--cores", "1",
               "--configfile", ROOT / "config" / "demo.yaml", "--quiet", "all",
               *(["--config", "smoke=true"] if quick else [])]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "SNAKEMAKE_PROFILE"}
    environment |= {warm.OFF: "0"}  # imports are a part of what is measured
    beyond, importing = [], []
    for _ in range(repeats):
        forced = ["--forcerun", "fit_probe"] if (study / RUN).exists() else []
        subprocess.run([*map(str, command), *forced], check=True, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        with (study / "benchmarks/fit_probe/digits-64/efficientnet_lite0/linear_probe.tsv").open() as stream:
            wall = float(next(csv.DictReader(stream, delimiter="\t"))["s"])
        beyond.append(wall - fit_seconds(study / "logs/fit_probe/digits-64/efficientnet_lite0/linear_probe.log"))
        importing.append(torch_seconds())
    value, floor = (sorted(seconds)[len(seconds) // 2] for seconds in (beyond, importing))
    print(
        f"job_overhead_s: {', '.join(f'{seconds:.1f}' for seconds in beyond)} s beyond the fits; importing torch alone takes {floor:.1f} s"
    )
    return {"name": "job_overhead_s", "value": value, "unit": "s", "target": IMPORTS * floor, "torch_s": floor}


def torch_seconds() -> float:
    """What Python needs to start and import torch on this machine, now: no job that runs a network takes less."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - begun


def fit_seconds(log: Path) -> float:
    """What the fits of a probe job took, from its log."""
    return sum(map(float, re.findall(r"^l2 .*, ([\d.]+) s$", log.read_text(), re.M)))


def main() -> None:
    options = parser(__doc__)
    add_work(options)
    arguments = options.parse_args()
    with room(arguments.work) as folder:
        measure(Path(folder), quick=arguments.quick)


if __name__ == "__main__":
    main()
