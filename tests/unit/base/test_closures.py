"""What each entry script runs, pinned: a new import that would rerun a rule's finished jobs shows in the table `closures.txt`."""

import functools
from pathlib import Path

import pytest

from ftbench.base import code_digest
from ftbench.study import kinds

TABLE = Path(__file__).with_name("closures.txt")
COMMAND = "PYTHONPATH=workflow/scripts .venv/bin/python tests/unit/base/test_closures.py"
HEADER = f"""# The modules of the package that each entry script of workflow/scripts runs. An edit of one reruns the script's finished jobs.
# Left out: the harness of a job, folders that hold a docstring alone, and the kinds that a study names.
# Written by: {COMMAND}
"""
FITTED_ON_FEATURES = [kinds.module("strategies", kind) for kind in kinds.having("strategies", "engine", "features")]
DOORS = {f"ftbench.{folder.replace('/', '.')}" for folder in kinds.DOORS.values()}


def closure(script: str, *extra: str) -> set[str]:
    """The modules behind an entry script, without the package's name: {"base.digests", ...}."""
    found = code_digest.modules(script, extra).items()
    counted = {name for name, path in found if path.name != "__init__.py" or name in DOORS}
    return {name.removeprefix("ftbench.") for name in counted - {script}}


@functools.cache
def today() -> dict[str, set[str]]:
    scripts = sorted(path.name for path in code_digest.SCRIPTS.glob("*.py"))
    return {script: closure(script) for script in scripts if script != "ftbench_job.py"}


def write(closures: dict[str, set[str]]) -> str:
    blocks = (
        f"\n{script}\n" + "".join(f"    {name}\n" for name in sorted(names)) for script, names in closures.items()
    )
    return HEADER + "".join(blocks)


def read(text: str) -> dict[str, set[str]]:
    closures: dict[str, set[str]] = {}
    names: set[str] = set()
    for line in text.removeprefix(HEADER).splitlines():
        if line.startswith("    "):
            names.add(line.strip())
        elif line:
            names = closures[line] = set()
    return closures


def changes(pinned: dict[str, set[str]], found: dict[str, set[str]]) -> list[str]:
    """One line per script whose closure is another: "plot_pareto.py: +evaluate.charges -report.layout.formats"."""
    lines = []
    for script in sorted(pinned.keys() | found.keys()):
        if script not in pinned or script not in found:
            lines.append(f"{script}: {'new' if script in found else 'gone'}")
        elif pinned[script] != found[script]:
            new = [f"+{name}" for name in sorted(found[script] - pinned[script])]
            gone = [f"-{name}" for name in sorted(pinned[script] - found[script])]
            lines.append(f"{script}: {' '.join(new + gone)}")
    return lines


def test_every_entry_script_runs_the_modules_of_the_table_and_no_others():
    different = changes(read(TABLE.read_text(encoding="utf-8")), today())
    assert not different, "\n".join(
        [
            "what these entry scripts run has changed, so that their finished jobs run again:",
            *different,
            f"If that is meant, write the table anew: {COMMAND}",
        ]
    )


def test_the_table_is_as_the_command_writes_it():
    assert TABLE.read_text(encoding="utf-8") == write(today()), f"write the table anew: {COMMAND}"


def test_a_change_is_named_by_its_script_and_its_modules():
    pinned = {"a.py": {"base.files", "base.old"}, "b.py": {"base.files"}, "c.py": set()}
    assert read(write(pinned)) == pinned
    assert changes(pinned, pinned) == []
    found = {"a.py": {"base.files", "base.new"}, "b.py": {"base.files"}, "d.py": set()}
    assert changes(pinned, found) == ["a.py: +base.new -base.old", "c.py: gone", "d.py: new"]


# Promises. The table above may be written anew; these lines may not be dropped.


@pytest.mark.parametrize("script", ["fit_probe.py", "predict_test_features.py"])
@pytest.mark.parametrize("kind", FITTED_ON_FEATURES)
def test_what_is_fitted_on_features_runs_no_training_loop(script, kind):
    behind = closure(script, kind)
    assert kind.removeprefix("ftbench.") in behind
    assert not {"train.loop", "train.step", "train.run", "machine.processes"} & behind


def test_a_transferability_score_builds_no_network():
    behind = closure("score_transferability.py")
    assert "measure.transferability" in behind
    assert not [name for name in behind if name.startswith(("machine.", "model."))]  # skip_padding among them


def test_a_change_of_what_is_charged_redraws_no_accuracy():
    assert "evaluate.charges" in today()["collect_metrics.py"]
    assert "evaluate.charges" not in today()["plot_accuracy.py"]


def test_a_change_of_calibration_compares_no_strategies_again():
    assert "evaluate.calibration" in today()["evaluate.py"]
    assert "evaluate.calibration" not in today()["compare_strategies.py"]


def test_the_comparison_needs_no_other_tables_file():
    tables = {name for name in today()["report_comparison.py"] if name.endswith(("_table", "_tables"))}
    assert tables == {"report.result.comparison_table"}


@pytest.mark.parametrize("script", sorted(script for script in today() if script.startswith(("plot_", "report_"))))
def test_a_page_or_figure_opens_no_network(script):
    floors = {name.split(".")[0] for name in today()[script]}
    assert floors <= {"base", "study", "evaluate", "compare", "report"}


if __name__ == "__main__":
    TABLE.write_text(write(today()), encoding="utf-8")
