"""The documents name folders, files and commands that exist."""

import re
from pathlib import Path

import pytest
from test_floors import FILE_WING, GROUND, NETWORK_WING, ORDER, SCRIPTS

from ftbench.tools import command_line

ROOT = SCRIPTS.parents[1]
PACKAGE = SCRIPTS / "ftbench"
FOLDERS = (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md"), *(ROOT / "profiles").glob("*.md"))  # fmt: skip
DOCUMENTS = sorted(
    {*FOLDERS, ROOT / "config" / "README.md", *(ROOT / ".github").rglob("*.md")} - {ROOT / "CHANGELOG.md"}
)
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
# Suffixes of files that belong to the repository: a CSV, an array or a JSON file in a text is one that a job writes.
INVENTED = {"config/flowers.yaml"}  # the user's, in an example
SUFFIXES = "py|smk|md|toml|yaml|rst|cff|in"
PATH = re.compile(rf"(?<![\w/.:<>*{{}}-])(?:[\w.-]+/)+[\w.-]+\.(?:{SUFFIXES})(?![\w/*<-])|(?<![\w/.:<>*{{}}-])(?:tests|docs|workflow|profiles|benchmarks|examples|config)/[\w./-]*\w")  # fmt: skip


def documents(function):
    return pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))(function)


def ours(name: str, document: Path) -> bool:
    """Whether a path of a document exists: beside it, in the repository, in the tests or in the package."""
    return any((place / name).exists() for place in (document.parent, ROOT, ROOT / "tests", SCRIPTS, PACKAGE))


@documents
def test_every_file_that_a_document_names_exists(path):
    text = re.sub(r"https?://\S+", "", path.read_text(encoding="utf-8"))
    missing = {name for name in PATH.findall(text) if not ours(name, path)}
    assert not {name for name in missing if not name.startswith("results/")} - INVENTED


@documents
def test_every_link_of_a_document_leads_to_a_file(path):
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert not [link for link in links if "://" not in link and not (path.parent / link).exists()]


@documents
def test_every_command_that_a_document_names_exists(path):
    text = path.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    assert set(re.findall(r"(?:`|^|and )make ([a-z][a-z-]*)", text, re.M)) <= targets
    assert set(re.findall(r"(?:`|^ *)ftbench ([a-z]\w*)", text, re.M)) <= set(command_line.names())
    for module in re.findall(r"python -m (ftbench[\w.]+)", text):
        assert (SCRIPTS / Path(*module.split("."))).with_suffix(".py").exists(), module


def test_the_makefile_starts_commands_and_files_that_exist():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\(FTBENCH\) (\w+)", text)) <= set(command_line.names())
    files = re.findall(r"\$\(BIN\)/python ([\w/]+\.py)", text)
    assert files and all((ROOT / name).exists() for name in files)
    phony = re.search(r"^\.PHONY: (.+)$", text, re.M).group(1).split()
    assert set(phony) == set(re.findall(r"^([a-z-]+):.*## ", text, re.M))  # `make help` lists every target


def test_the_page_of_commands_begins_with_a_list_of_all():
    shown = re.findall(
        r"^ftbench (\w+)", (ROOT / "docs/commands.md").read_text(encoding="utf-8").split("<!--")[0], re.M
    )
    assert sorted(set(shown)) == command_line.names()


def test_the_architecture_has_the_folders_in_their_order():
    assert tuple(re.findall(r"^\| `(\w+)` \|", ARCHITECTURE, re.M)) == ORDER
    picture = re.search(r"```\n(the ground.+?)```", ARCHITECTURE, re.S).group(1)
    for wing in (GROUND, NETWORK_WING, FILE_WING):
        assert " --> ".join(wing) in picture


def test_the_ways_through_the_code_name_modules_that_exist():
    blocks = ARCHITECTURE.split("```")[3::2]  # after the folders of the repository: the picture, then the ways
    names = [name for name in "\n".join(blocks).split() if name.endswith(".py") and "<" not in name]
    assert len(names) > 12
    assert not [name for name in names if not (PACKAGE / name).exists() and not (ROOT / name).exists()]
