"""The digest decides what reruns after an edit: too narrow keeps stale results, too wide retrains a study."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ftbench.base import code_digest
from ftbench.study import kinds

KINDS = (
    "ftbench.train.strategies.last_block",
    "ftbench.pixels.policies.crop_flip",
    "ftbench.model.architectures.torchvision",
)


@pytest.fixture(scope="module")
def before():
    """The digest before any edit. A copy has the same, as a test below holds."""
    return digest()


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A copy of workflow/scripts that may be edited; `digest` and `edit` work on it."""
    scripts = tmp_path / "scripts"
    shutil.copytree(code_digest.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_digest, "SCRIPTS", scripts)
    _forget()
    yield scripts
    _forget()


def _forget():
    for cached in (code_digest._file_of, code_digest.imported_at_once):
        cached.cache_clear()
    code_digest._parse.cache_clear()
    code_digest.code_digest.cache_clear()


def digest(script: str = "train.py", *extra: str) -> str:
    _forget()
    return code_digest.code_digest(script, *(extra or KINDS))


def edit(path: Path, pattern: str, replacement: str) -> None:
    text = path.read_text(encoding="utf-8")
    changed, count = re.subn(pattern, replacement, text, count=1, flags=re.M)
    assert count == 1, f"{pattern} is not in {path}"
    path.write_text(changed, encoding="utf-8")


def test_the_digest_of_a_copy_is_that_of_the_original(before, tree):
    assert re.fullmatch("[0-9a-f]{16}", before)
    assert digest() == before  # nothing in it depends on where the code lies


def test_comments_docstrings_and_layout_change_nothing(before, tree):
    for path in sorted(tree.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r'\A"""', '"""Another first sentence. ', text)
        path.write_text(f"# a comment\n\n\n{text}\n\n# the end\n", encoding="utf-8")
    edit(
        tree / "ftbench" / "train" / "recipes.py",
        r"    groups = parameter_groups\(",
        "\n    # why\n    groups = parameter_groups(\n",
    )
    edit(
        tree / "ftbench" / "train" / "recipes.py",
        r"^def make_optimizer(.*):$",
        r'def make_optimizer\1:\n    """New."""',
    )
    edit(tree / "ftbench" / "train" / "loop.py", r'"""Score the validation part', '"""Evaluate the validation part')
    assert digest() == before


@pytest.mark.parametrize(
    "file, pattern, replacement",
    [
        ("train.py", r"resume=snakemake.params.resume", "resume=snakemake.params.code"),
        ("ftbench/train/record.py", r'"feature_seconds": 0\.0', '"feature_seconds": 1.0'),
        ("ftbench/train/recipes.py", r"steps // 10", "steps // 20"),  # imported by loop, which training imports
        ("ftbench/model/stages.py", r"denseblock", "dense_block"),  # imported by the strategy alone
        ("ftbench/pixels/augment.py", r"height // 8", "height // 4"),  # imported by the policy alone
        ("ftbench/train/strategies/last_block.py", r"\[-1\]", "[-2]"),
        ("ftbench/model/architectures/torchvision.py", r'"vit_"', '"swin_"'),
        ("ftbench/model/architectures/__init__.py", r"cutoff=0\.4", "cutoff=0.5"),  # a package's own __init__
    ],
)
def test_an_edit_of_code_that_the_job_runs_changes_it(before, tree, file, pattern, replacement):
    edit(tree / file, pattern, replacement)
    assert digest() != before


def test_an_import_inside_a_function_is_followed(tree):
    script = (tree / "train.py").read_text(encoding="utf-8")
    assert re.search(r"^ +from ftbench.train.run import", script, re.M), (
        "train.py imports at its top now: see the floors"
    )
    assert "ftbench.train.run" in code_digest.modules("train.py")
    (tree / "ftbench" / "train" / "late.py").write_text('"""Late."""\n\nVALUE = 1\n')
    edit(tree / "ftbench" / "train" / "recipes.py", r"^    groups = parameter_groups", "    from ftbench.train import late\n\n    groups = parameter_groups")  # fmt: skip
    before = digest()
    edit(tree / "ftbench" / "train" / "late.py", "VALUE = 1", "VALUE = 2")
    assert digest() != before


@pytest.mark.parametrize(
    "file, pattern, replacement",
    [
        ("ftbench/train/strategies/finetune.py", r"for name, _ in", "for name, _unused in"),
        ("ftbench/pixels/policies/none.py", r"return images", "return images.clone()"),
        ("ftbench/model/architectures/timm.py", r"pretrained=False", "pretrained=True"),
        ("ftbench/data/sources/digits.py", r"^import", "import os\nimport"),
        ("ftbench/report/result/comparison_table.py", r"^import", "import os\nimport"),
        ("ftbench/evaluate/metrics.py", r"^import", "import os\nimport"),
        ("ftbench/tools/passes.py", r"CLASSES = 10", "CLASSES = 11"),
        ("ftbench/train/strategies/linear_probe.py", r"MAX_ITERATIONS = 1000", "MAX_ITERATIONS = 10"),
        ("ftbench/base/job.py", r"^import", "import json\nimport"),  # the harness: where a log goes changes no result
        ("ftbench_job.py", r"^import", "import os\nimport"),
        ("evaluate.py", r"ftbench_job", "ftbench.base.errors"),
    ],
)
def test_an_edit_of_code_that_the_job_does_not_run_leaves_it(before, tree, file, pattern, replacement):
    edit(tree / file, pattern, replacement)
    assert digest() == before


def test_every_plot_may_change_without_retraining(before, tree):
    for path in (tree / "ftbench" / "report").rglob("*.py"):
        path.write_text(path.read_text(encoding="utf-8") + "\nEDITED = True\n")
    assert digest() == before


def test_new_kinds_change_no_other_kinds_digest(before, tree):
    scripts = {path.name: code_digest.code_digest(path.name) for path in tree.glob("*.py")}
    for folder in kinds.DOORS.values():
        (tree / "ftbench" / folder / "brand_new.py").write_text('"""New."""\n\nDECLARES = {}\n')
    assert digest() == before
    _forget()
    assert {path.name: code_digest.code_digest(path.name) for path in tree.glob("*.py")} == scripts


def test_scripts_and_kinds_have_digests_of_their_own():
    digests = [code_digest.code_digest(path.name) for path in sorted(code_digest.SCRIPTS.glob("*.py"))]
    assert len(set(digests)) == len(digests)
    strategies = {
        code_digest.code_digest("train.py", f"ftbench.train.strategies.{kind}") for kind in ("finetune", "lp_ft")
    }
    assert len(strategies) == 2
    assert digest("train.py", *KINDS) == digest("train.py", *reversed(KINDS))


def test_training_runs_no_third_floor_and_evaluation_no_network():
    training = code_digest.modules("train.py", KINDS)
    assert not {
        "ftbench.evaluate.metrics",
        "ftbench.evaluate.run_scores",
        "ftbench.report.result.comparison_table",
        "ftbench.study.config",
    } & set(training)
    assert {
        "ftbench.train.loop",
        "ftbench.model.stages",
        "ftbench.pixels.augment",
        "ftbench.machine.skip_padding",
    } <= set(training)
    assert not {"ftbench.train.loop", "ftbench.model.backbones"} & set(code_digest.modules("evaluate.py"))


def test_the_digest_is_the_same_by_whatever_path_the_package_was_found():
    """The rules put ".../workflow/rules/../scripts" on the path; an installed package is found by its plain one."""
    scripts = code_digest.SCRIPTS
    told = (
        f"import sys; sys.path.insert(0, {str(scripts.parent / 'rules' / '../scripts')!r})\n"
        "from ftbench.base.code_digest import code_digest; print(code_digest('record_environment.py'))"
    )
    printed = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == code_digest.code_digest("record_environment.py")


def test_what_every_job_of_a_script_imports_is_what_its_modules_import_as_they_are_imported(tree):
    package = tree / "ftbench" / "own"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (tree / "own.py").write_text("if True:\n    from ftbench.own.first import work\n")
    (package / "first.py").write_text(
        "import numpy as np\nfrom ftbench.own import second\n\ndef work():\n    import torch\n    from ftbench.own import third\n"
    )
    (package / "second.py").write_text("from scipy import stats\n")
    (package / "third.py").write_text("import pandas\n")
    _forget()
    found = code_digest.imported_at_once("own.py")
    assert {"numpy", "scipy.stats", "ftbench.own.second"} <= found
    assert not found & {"torch", "pandas", "ftbench.own.third"}
    assert "pandas" in code_digest.imported_at_once("own.py", "ftbench.own.third")
