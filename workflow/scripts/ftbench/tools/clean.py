"""Remove the results of one study: the folder below results/ that its config names, and nothing else."""

import shutil
from pathlib import Path

from ftbench.base.errors import InputError
from ftbench.study.config import study_name

LOCKS = Path(".snakemake/locks")  # the files that a running Snakemake reads and writes, one path a line


def clean(config: str | Path, results: Path = Path("results")) -> None:
    """Remove results/<name> of a config's study and say what goes. Downloads and weights stay, and so do other studies.

    Raises InputError if the config names no valid study, if the folder is a link, and while Snakemake works in it.
    """
    folder = results / study_name(config)
    if folder.is_symlink():
        raise InputError(f"{folder} is a link to {folder.resolve()}; remove the link or the folder by hand.")
    if not folder.is_dir():
        print(f"There is no {folder}: nothing to remove.")
        return
    if _locked(folder):
        raise InputError(
            f"Snakemake works in {folder}, or was killed there; wait until it ends, or run `make unlock` before you clean."
        )
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.lstat().st_size for path in files)
    print(f"Removing {folder}: {len(files):,} files, {size / 1e6:,.1f} MB.")
    shutil.rmtree(folder)


def _locked(folder: Path) -> bool:
    locks = LOCKS.glob("*") if LOCKS.is_dir() else ()
    inside = f"{folder.as_posix()}/"
    return any(line.startswith(inside) for lock in locks for line in lock.read_text(errors="replace").splitlines())
