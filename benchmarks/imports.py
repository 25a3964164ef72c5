"""What each entry script needs before its work begins: seconds of the processor for its imports, and which large libraries they bring.

    python benchmarks/imports.py

A fresh Python imports what the script names, once to fill the caches and then three times; the fastest counts. The library of a timm
backbone is imported by name in a job, so it has lines of its own: with torch's compiler, as torchvision imports it, and without
(`ftbench.machine.spared_compiler`).
"""

import ast
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where a test loads this file by its path
from _common import ROOT, parser

SCRIPTS = ROOT / "workflow" / "scripts"
LARGE = ("torch", "torchvision", "timm", "pandas", "scipy.stats", "sklearn", "matplotlib", "seaborn")
QUICK = ("compute_normalization.py", "report_cost.py")
REPEATS = 3
STEP = "o = torch.optim.AdamW([torch.zeros(1, requires_grad=True)]); o.zero_grad(); o.step()"
LIBRARIES = {
    "a step on a timm network": f"import timm, torch; {STEP}",
    "the same, compiler spared": f"from ftbench.machine.spared_compiler import spare_compiler; spare_compiler(); import timm, torch; {STEP}",
}
MEASURED = """
import sys, resource
{work}
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, *[name for name in {large!r} if name in sys.modules])
"""


def imported_by(script: Path) -> list[str]:
    """The modules that an entry script imports, inside its job too, with the job itself."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return ["ftbench.base.job", *sorted(name for name in names if name.startswith("ftbench."))]


def measured(work: str, repeats: int) -> tuple[float, list[str]]:
    """(seconds of the processor, the large libraries that were imported)."""
    code = f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n" + MEASURED.format(work=work, large=LARGE)
    found = []
    for _ in range(repeats + 1):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        seconds, *large = done.stdout.split()
        found.append(float(seconds))
    return min(found[1:]), large


def main() -> None:
    quick = parser(__doc__).parse_args().quick
    scripts = [path for path in sorted(SCRIPTS.glob("*.py")) if path.stem != "ftbench_job"]
    works = {path.name: "import " + ", ".join(imported_by(path)) for path in scripts if not quick or path.name in QUICK}
    works |= {} if quick else LIBRARIES
    for name, work in works.items():
        seconds, large = measured(work, 1 if quick else REPEATS)
        print(f"{name:28} {seconds:5.2f} s  {' '.join(large)}", flush=True)


if __name__ == "__main__":
    main()
