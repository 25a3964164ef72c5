"""The text of a config: every value with its reason behind it, what was found in front of it."""

from collections.abc import Iterator

import yaml

from ftbench.base.given.walk import shown
from ftbench.tools.first_look.choices import spoken
from ftbench.tools.first_look.draft import Draft, groups_file

TABLES = (
    "backbones",
    "training",
    "tuning",
    "strategies",
    "hardware",
)  # after the data set, each with an empty line before it
FEW = 1000  # images in all up to which a test part of its own would be small
FOLDS = 5
WIDTH = 110  # a longer line has its reason above it


def config_text(draft: Draft) -> str:
    tables, why = draft.choices.tables, draft.choices.why
    lines = [*_head(draft)]
    for key, value in tables.items():
        if key not in TABLES:
            lines += _line(key, value, why.get(key), 0)
    lines += ["", "datasets:", f"  {scalar(draft.name)}:"]
    for key, value in draft.entry.keys.items():
        lines += _line(key, value, draft.entry.why.get(key), 4)
    if "test_fraction" in draft.entry.keys and draft.seen.total <= FEW and draft.entry.takes("test_folds"):
        lines += _proposed_folds(draft)
    if draft.groups and not draft.obeyed and draft.entry.takes("groups"):
        lines += _proposed_groups(draft)
    for table in TABLES:
        if table in tables:
            lines += ["", f"{table}:", *_table(tables[table], why, table, 2)]
    return "\n".join(lines) + "\n"


def _head(draft: Draft) -> list[str]:
    seen = draft.seen
    counts = ", ".join(f"{len(names):,} {part}" for part, names in seen.names.items())
    return [
        f"# A first study of {draft.entry.keys['path']}, by `ftbench init`: {len(seen.classes):,} classes, {counts} images.",
        f"# For {draft.here}. config/README.md explains every key.",
        f"#   make study CONFIG={shown(draft.output)}     about {spoken(draft.choices.hours)}, {draft.here.trust}",
        f"#   make report CONFIG={shown(draft.output)}",
        *(f"# Passed over, since it takes longer: {richer}." for richer in draft.choices.passed),
    ]


def _proposed_folds(draft: Draft) -> list[str]:
    tested = round(draft.seen.total * draft.entry.settings["test_fraction"])
    return [
        f"    # With so few images a test part of about {tested:,} leaves wide intervals. In the place of test_fraction:",
        f"    # test_folds: {FOLDS}  # all {draft.seen.total:,} images are tested, each once, at {FOLDS} times the training",
    ]


def _proposed_groups(draft: Draft) -> list[str]:
    found = draft.groups
    why = "a guess: look at it" if not found.sure else "too few groups in some class to divide them"
    return [
        f"    # {found.number():,} groups can be seen by {found.how} ({why}).",
        f"    # groups: {shown(groups_file(draft.output))}  # columns file and group; a group stays on one side of every split",
    ]


def _table(table: dict, why: dict, path: str, indent: int) -> Iterator[str]:
    for key, value in table.items():
        reason = why.get(f"{path}.{key}")
        if isinstance(value, dict):
            yield f"{' ' * indent}{key}:" + (f" # {reason}" if reason else "")
            yield from _table(value, why, f"{path}.{key}", indent + 2)
        else:
            yield from _line(key, value, reason, indent)


def _line(key: str, value, reason: str | None, indent: int) -> Iterator[str]:
    line = f"{' ' * indent}{key}: {scalar(value)}"
    if not reason:
        yield line
    elif len(line) + len(reason) + 3 <= WIDTH:
        yield f"{line} # {reason}"
    else:
        yield f"{' ' * indent}# {reason}"
        yield line


def scalar(value) -> str:
    """A value as YAML writes it on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9, sort_keys=False)
    return text.removesuffix("...\n").strip()
