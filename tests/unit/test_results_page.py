"""docs/results.md names every file that a rule makes, and no other."""

import itertools
import re
from pathlib import Path

from ftbench.study import paths

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "results.md"
RULES = sorted((REPOSITORY / "workflow" / "rules").glob("*.smk"))
OUTPUT = re.compile(r"^    output:\n((?:        .*\n|\n)+)", re.MULTILINE)
# What stands in a rule for a path: the path itself, a name of `ftbench.study.paths`, or one file of each seed.
PATH, SEEDS, NAME = (
    re.compile(r'"(<[^"]+)"'),
    re.compile(r'seed_files\("([^"]+)", [A-Z_0-9]+\)'),
    re.compile(r"\b[A-Z_]{5,}\b"),
)
HIDDEN = re.compile(r"caption=\S+|category=\S+|subcategory=\S+|labels=\{.*|ensure\(|sha256=\S+")
ROOTS = {
    "<results>": "results/<study>",
    "<resources>": "resources",
    "<own_split>": "split.npz",
    "<of_seed>": "[/seed<seed>]",
    "<fitted>": "seed<seed>",
}


def spelled(path: str) -> str:
    """A rule's path as the page has it: wildcards in angle brackets, and the seed of those that run once left open."""
    for written, meant in ROOTS.items():
        path = path.replace(written, meant)
    return re.sub(r"\bseed0\b", "seed<seed>", re.sub(r"\{(\w+)\}", r"<\1>", path))


def made() -> set[str]:
    """Every path that a rule declares as output."""
    found = set()
    for file in RULES:
        for block in OUTPUT.findall(file.read_text(encoding="utf-8")):
            rest = HIDDEN.sub("", block)
            own = PATH.findall(rest) + [f"{paths.RUN}/{name}" for name in SEEDS.findall(rest)]
            rest = SEEDS.sub("", PATH.sub("", rest))
            own += [getattr(paths, name) for name in NAME.findall(rest) if hasattr(paths, name)]
            assert own, f"{file.name}: no path that this test can read in {block}"
            found |= {form for path in own for form in forms(spelled(path))}
    return found


def forms(path: str) -> list[str]:
    """What a path of the page stands for: one of {a,b} each, and what is in square brackets there and not."""
    parts = [part.strip("[]{}") for part in re.split(r"(\{[^}]*\}|\[[^\]]*\])", path)]
    marks = re.split(r"(\{[^}]*\}|\[[^\]]*\])", path)
    choices = [
        [part, ""] if mark.startswith("[") else part.split(",") if mark.startswith("{") else [part]
        for part, mark in zip(parts, marks)
    ]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def listed() -> list[str]:
    """Every path on the page: a folder stands alone on a line, and its files are indented below it, in front of what they hold."""
    block = PAGE.read_text(encoding="utf-8").split("```\n")[1]
    found, folder = [], ""
    for line in block.splitlines():
        if not line.startswith(" "):
            folder = line
            continue
        names = [name for name in line.strip().split("  ") if re.fullmatch(r"\s*\S*[./<]\S*", name)]
        assert names, line
        found += [form for name in names for form in forms(folder + name.strip())]
    return found


def test_the_page_of_results_names_every_file_that_a_rule_makes_and_no_other():
    page = listed()
    assert sorted(set(page)) == sorted(made()) and len(page) == len(set(page))
