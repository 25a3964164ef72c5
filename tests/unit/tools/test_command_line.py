"""The command `ftbench`: what it explains, what it finds, and what it says of a wrong word."""

import importlib
import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ftbench import __version__
from ftbench.tools import command_line

REPOSITORY = Path(__file__).parents[3]
DEMO = str(REPOSITORY / "config" / "demo.yaml")


def test_the_package_installs_the_command_that_stands_here():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    module, function = project["project"]["scripts"]["ftbench"].split(":")
    assert getattr(importlib.import_module(module), function) is command_line.main
    assert project["project"]["version"] == __version__
    for package, folder in project["tool"]["setuptools"]["package-dir"].items():
        assert (REPOSITORY / folder).samefile(Path(importlib.import_module(package).__file__).parent)


def test_its_help_lists_every_command_with_a_line(capsys):
    with pytest.raises(SystemExit) as end:
        command_line.main(["--help"])
    printed = capsys.readouterr().out
    assert end.value.code == 0 and {"check", "plan", "watch", "tensorboard"} <= set(command_line.names())
    for name in command_line.names():
        line = command_line.load(name).__doc__.splitlines()[0]
        assert name in printed and line.split()[0] in printed and line.endswith(".")


@pytest.mark.parametrize("name", command_line.names())
def test_the_example_in_a_commands_help_is_one_that_it_takes(name, capsys):
    with pytest.raises(SystemExit):
        command_line.main([name, "--help"])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    examples = [shlex.split(line)[1:] for line in lines if line.startswith(f"ftbench {name} ")]
    assert examples
    for example in examples:
        assert command_line.parser().parse_args(example).command == name


def test_help_imports_nothing_heavy():
    """The modules count, not the seconds: a busy machine is slow."""
    code = "import sys, json\nfrom ftbench.tools import command_line\n"
    code += "for name in command_line.names():\n"
    code += "    try: command_line.main([name, '--help'])\n"
    code += "    except SystemExit: pass\n"
    code += "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], env=own_package(), capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & {"torch", "timm", "pandas", "numpy", "rich", "tensorboard", "jsonschema", "snakemake"}


def own_package() -> dict:
    return os.environ | {"PYTHONPATH": str(REPOSITORY / "workflow" / "scripts")}


@pytest.mark.parametrize(
    "word, hint",
    [
        ("plann", "did you mean `ftbench plan`?"),
        ("Watch", "did you mean `ftbench watch`?"),
        ("x", "valid: audit, check, "),
    ],
)
def test_an_unknown_command_gets_a_hint(word, hint, capsys):
    with pytest.raises(SystemExit) as end:
        command_line.main([word])
    printed = capsys.readouterr().err
    assert end.value.code == 2 and len(printed.splitlines()) == 1
    assert f"there is no command '{word}'; {hint}" in printed


def test_check_names_the_study_or_keeps_quiet(capsys, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert command_line.main(["check", "config/demo.yaml"]) == 0
    assert capsys.readouterr().out.startswith("config/demo.yaml is valid: the study demo has ")
    assert command_line.main(["check", "config/demo.yaml", "--config-only", "--quiet"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("command", ["check", "plan", "watch", "tensorboard"])
def test_a_bad_config_is_one_sentence_and_no_traceback(command, tmp_path, capsys):
    (tmp_path / "bad.yaml").write_text("study: x\n")
    assert command_line.main([command, str(tmp_path / "bad.yaml")]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and len(printed.err.splitlines()) == 1
    assert printed.err.startswith("config: the config lacks the key datasets")
    assert command_line.main([command, str(tmp_path / "none.yaml")]) == 1
    assert capsys.readouterr().err == f"There is no config file {tmp_path / 'none.yaml'}.\n"


def test_plan_prints_the_estimate_of_the_study(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(
        "{study: small, seeds: [0], datasets: {digits: {source: digits}}, strategies: {scratch: {kind: scratch}}, "
        "backbones: {plain: {source: ftbench, model: resnet8, image_size: 8}}}"
    )
    assert command_line.main(["plan", "small.yaml"]) == 0
    assert capsys.readouterr().out.startswith("Study small: 1 cells")


def test_watch_and_tensorboard_find_the_runs_of_a_study_that_has_not_begun(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command_line.main(["watch", DEMO, "--once"]) == 0
    assert "demo: " in capsys.readouterr().out
    assert command_line.main(["tensorboard", DEMO]) == 0
    assert capsys.readouterr().out.startswith("0 trials and runs; show them with: tensorboard --logdir results/demo/")


def test_ctrl_c_ends_a_command_with_one_line(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line.load("check"), "run", interrupted)
    assert command_line.main(["check", DEMO]) == command_line.INTERRUPTED
    assert capsys.readouterr().err == "ftbench check: interrupted.\n"
