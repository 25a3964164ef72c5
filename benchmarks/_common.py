"""What every benchmark shares: the package of this checkout comes first, and the options --quick and --out."""

import argparse
import atexit
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))


def parser(docstring: str, **out: str) -> argparse.ArgumentParser:
    """A parser with `docstring` as its help and the option --quick; with out="name.json" also --out, results/name.json."""
    made = argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--quick", action="store_true", help="the smallest sizes, in seconds: shows that it runs, measures nothing"
    )
    if out:
        made.add_argument("--out", type=Path, help=f"(default: results/{out['out']}; with --quick nowhere)")
        made.set_defaults(out_name=out["out"])
    return made


def out_of(arguments: argparse.Namespace) -> Path:
    """Where the results go. A quick run never replaces those of a measurement, and without --out keeps none."""
    folder = ROOT / "results"
    if arguments.quick:
        folder = Path(tempfile.mkdtemp(prefix="quick-"))
        atexit.register(shutil.rmtree, folder)
    path = arguments.out or folder / arguments.out_name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def add_work(options: argparse.ArgumentParser) -> None:
    """The option --work, for benchmarks whose job reads what other jobs have to make first."""
    options.add_argument("--work", type=Path, help="a folder that keeps what the job reads (default: a temporary one)")


def room(work: Path | None) -> contextlib.AbstractContextManager:
    """The folder `work`, which stays, or a temporary one."""
    return contextlib.nullcontext(str(work)) if work else tempfile.TemporaryDirectory()
