"""The pages: every command on them is one that its program takes, every figure exists, and the reference is that of the parsers."""

import re
import shlex
from argparse import ArgumentParser

import pytest
import yaml
from snakemake.cli import get_argument_parser
from test_documents import DOCUMENTS, ROOT, documents

from ftbench.study import config
from ftbench.tools import command_line
from ftbench.tools.documents import command_doc, figure_doc

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PROGRAM = re.compile(r"(?:source \S+ && |\w+=\S+ |time |\.venv/bin/|\$ )*(make|ftbench|snakemake|python) ")
SHIPPED = sorted((ROOT / "config").glob("*.yaml"))


def commands(text: str) -> list[str]:
    """The command lines of fenced blocks without a language, and those in backticks, each without its comment."""
    blocks = re.findall(r"^( *)```\n(.*?)^ *```", text, re.M | re.S)
    lines = [line.strip() for _, block in blocks for line in block.splitlines()]
    lines += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.S))
    return [line for line in lines if PROGRAM.match(line) and "..." not in line and "…" not in line]


def words(line: str) -> tuple[str, list[str]]:
    """The program and what it is given."""
    match = PROGRAM.match(line)
    return match[1], shlex.split(line[match.end() :], comments=True)


def check_ftbench(given: list[str], line: str) -> None:
    if "COMMAND" in given or any(word.isupper() or word.startswith(("MODEL", "PATH", "[")) for word in given[:2]):
        return  # a synopsis
    if len(given) > 1 or given[0] in command_line.names() and "config" not in given[0]:
        try:
            command_line.parser().parse_args(given)
        except SystemExit as end:
            assert end.code == 0 or len(given) == 1, line  # a name alone stands for the command


def check_make(given: list[str], line: str) -> None:
    variables = set(re.findall(r"\$\((\w+)\)|\$\(if \$\((\w+)\)", MAKEFILE)) | set(
        re.findall(r"^(\w+) [?:]?=", MAKEFILE, re.M)
    )
    known = {name for one in variables for name in ([one] if isinstance(one, str) else one)}
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
    for word in given:
        name = word.partition("=")[0]
        assert name in (known if "=" in word else targets), line


def check_snakemake(given: list[str], line: str) -> None:
    parser: ArgumentParser = get_argument_parser()
    known = {option for action in parser._actions for option in action.option_strings}
    known |= {"--slurm-init-seconds-before-status-checks"}
    for word in given:
        assert not word.startswith("-") or word.partition("=")[0] in known, f"{word} in: {line}"


def check_python(given: list[str], line: str) -> None:
    if given[0] == "-m":
        assert re.match(r"ftbench\.|pytest", given[1]), line
    elif given[0].endswith(".py"):
        path = ROOT / given[0]
        assert path.exists() or given[0] == "example.py", line
        text = (path.read_text("utf-8") + (ROOT / "benchmarks/_common.py").read_text("utf-8")) if path.exists() else ""
        assert all(word.removeprefix("--") in text for word in given[1:] if word.startswith("--")), line


CHECKS = {"ftbench": check_ftbench, "make": check_make, "snakemake": check_snakemake, "python": check_python}


@documents
def test_every_command_of_a_document_is_one_that_its_program_takes(path, capsys):
    for line in commands(path.read_text(encoding="utf-8")):
        program, given = words(line)
        if given:
            CHECKS[program](given, f"{path.name}: {line}: {capsys.readouterr().err}")


def test_commands_are_found_and_wrong_ones_are_refused():
    text = "Say `make plan CORES=2`.\n```\nsource .venv/bin/activate\n$ ftbench predict model photos/ --top 3  # why\n```\n"
    found = [words(line) for line in commands(text)]
    assert found == [("ftbench", ["predict", "model", "photos/", "--top", "3"]), ("make", ["plan", "CORES=2"])]
    for check, line in ((check_ftbench, "predict model --topp 3"), (check_make, "plann"), (check_make, "plan CONFG=x"), (check_snakemake, "--coresx 3"), (check_python, "benchmarks/serve.py --nonsense")):  # fmt: skip
        with pytest.raises(AssertionError):
            check(line.split(), line)


def test_every_config_that_a_document_names_ships():
    names = {path.relative_to(ROOT).as_posix() for path in SHIPPED} | {"config/flowers.yaml"}
    for path in DOCUMENTS:
        assert set(re.findall(r"config/\w+\.yaml", path.read_text(encoding="utf-8"))) <= names, path


def test_the_command_line_is_that_of_the_parsers():
    text = command_doc.PAGE.read_text(encoding="utf-8")
    assert command_doc.render(text) == text, (
        "run: PYTHONPATH=workflow/scripts python -m ftbench.tools.documents.command_doc"
    )
    for name in command_line.names():
        assert f"\n## ftbench {name}\n" in text


def test_every_page_is_in_the_menu_and_every_figure_is_shown():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    menu = text[text.index("\nnav:") :]
    assert [page.name for page in PAGES if page.relative_to(ROOT / "docs").as_posix() not in menu] == []
    shown = {found for page in PAGES for found in re.findall(r"!\[.+?\]\((.+?)\)", page.read_text(encoding="utf-8"))}
    kept = {path.relative_to(ROOT / "docs").as_posix() for kind in ("svg", "png", "jpg", "gif", "webp") for path in (ROOT / "docs").rglob(f"*.{kind}")}  # fmt: skip
    assert kept == shown == {*figure_doc.PLOTS, *figure_doc.FINDINGS, figure_doc.SUMMARY}  # `make figures` makes them
    readme = re.findall(r"!\[.+?\]\((.+?)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(readme) <= {f"docs/{name}" for name in kept}


def test_the_page_on_the_summary_has_the_summarys_own_headings():
    folder = ROOT / "workflow/scripts/ftbench/report/summary"
    source = "".join(path.read_text("utf-8") for path in folder.glob("*.py"))
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/summary.md").read_text("utf-8"), re.M)
    assert [one for one in headings if one not in ("The answer", "Words") and one not in source] == []


def test_both_tutorials_have_the_same_steps_and_the_same_code():
    english, chinese = ((ROOT / "docs" / name).read_text("utf-8") for name in ("tutorial.md", "zh/tutorial.md"))
    number = re.compile(r"^## (\d+)\.", re.M)
    assert number.findall(english) == number.findall(chinese) == [str(k) for k in range(1, 11)]
    blocks = re.compile(r"```(.*?)```", re.S)
    assert blocks.findall(english) == blocks.findall(chinese)
    figures = re.compile(r"\b0\.\d+\b")
    assert sorted(set(figures.findall(english))) == sorted(set(figures.findall(chinese)))


@pytest.mark.parametrize("page", ["tutorial.md", "extending.md", "your_images.md"])
def test_the_keys_of_a_page_are_keys_of_a_config(page):
    known = config.schema()["properties"]
    for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.S):
        for table, entries in yaml.safe_load(block).items():
            parts = known[table].get("additionalProperties") or known[table]
            given = {key for entry in entries.values() for key in entry}
            assert given <= set(parts["properties"]), (table, given - set(parts["properties"]))


def test_the_strategy_of_the_page_works():
    import small

    text = (ROOT / "docs/extending.md").read_text("utf-8")
    scope: dict = {}
    exec(re.search(r"```python\n(.*?)```", text, re.S)[1], scope)
    backbone = small.backbone()
    moving = scope["trainable"](backbone)
    assert set(backbone.head_parameters()) < set(moving) < {name for name, _ in backbone.network.named_parameters()}
    assert set(scope["DECLARES"]) >= {"start", "engine", "tuned", "stochastic", "recipe"}


def test_the_pages_are_built_without_a_network():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in text and "social" not in text and "http" not in text
    for page in PAGES:
        assert not re.search(r"!\[[^]]*\]\(https?:", page.read_text(encoding="utf-8")), page
