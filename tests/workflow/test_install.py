"""What `make setup` installs, in an environment of its own, and that the workflow never runs another checkout's package."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from studies import REPOSITORY, Clone, environment, settings

LABELS = "results/tiny/data/digits/labels.npy"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> tuple[Path, Clone]:
    """(folder of programs, clone): a virtual environment with the packages of this one, and a clone installed in it."""
    root = tmp_path_factory.mktemp("installed")
    clone = Clone.of_repository(root / "clone")
    for name in ("pyproject.toml", "requirements.in", "README.md", "LICENSE", "Makefile"):
        (clone.root / name).write_bytes((REPOSITORY / name).read_bytes())
    programs = root / "environment" / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", programs.parent], check=True)
    paths = sysconfig.get_paths(vars={"base": str(programs.parent), "platbase": str(programs.parent)})
    Path(paths["purelib"], "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    recipe = (REPOSITORY / "Makefile").read_text().split("$(BIN)/pip ")[-1].splitlines()[0]
    command = [str(programs / "python"), "-m", "pip", *recipe.split()]
    subprocess.run(command, check=True, cwd=clone.root, env=environment())
    return programs, clone


def test_setup_installs_the_package_and_its_command(installed, tmp_path):
    programs, clone = installed

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    package = run(str(programs / "python"), "-c", "import ftbench.predict.trained, ftbench; print(ftbench.__file__)")
    assert Path(package.strip()) == clone.root / "workflow/scripts/ftbench/__init__.py"
    entry = "import importlib.util; print(importlib.util.find_spec('record_environment'))"
    assert run(str(programs / "python"), "-c", entry).strip() == "None"  # the package alone, no entry script
    assert "check" in run(str(programs / "ftbench"), "--help")
    assert "is valid" in run(str(programs / "ftbench"), "check", str(clone.root / "config/demo.yaml"))


def test_the_workflow_of_a_clone_runs_its_own_package_where_another_is_installed(installed, tmp_path):
    """Installed in place, as `make setup` does it, from another clone whose package would fail."""
    programs, other = installed
    clone = Clone.of_repository(tmp_path / "clone", settings())
    command = [str(programs / "python"), *clone.command(LABELS)[1:]]
    broken = other.root / "workflow/scripts/ftbench/__init__.py"
    kept = broken.read_text()
    broken.write_text("raise RuntimeError('the package of another clone')\n")
    try:
        done = subprocess.run(command, cwd=clone.root, env=environment(), capture_output=True, text=True)
    finally:
        broken.write_text(kept)
    assert done.returncode == 0, done.stderr
    assert (clone.root / LABELS).exists()


def test_a_foreign_package_on_the_path_is_not_run_either(tmp_path):
    """PYTHONPATH comes before all that is installed, so this is the hardest place that another ftbench can have."""
    foreign = tmp_path / "foreign" / "ftbench"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("raise RuntimeError('a foreign package')\n")
    clone = Clone.of_repository(tmp_path / "clone", settings())
    clone.snakemake(LABELS, env={"PYTHONPATH": str(foreign.parent)})
    assert (clone.root / LABELS).exists()
