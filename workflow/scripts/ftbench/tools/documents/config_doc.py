"""Write config/README.md's tables from the schema: `python -m ftbench.tools.documents.config_doc`. A test holds them in step."""

import json
from pathlib import Path

from ftbench.base.errors import choices
from ftbench.study import config, kinds
from ftbench.tools.documents.marked import rewritten

README = Path(__file__).parents[5] / "config" / "README.md"
BEGIN, END = "<!-- keys: written by ftbench.tools.documents.config_doc from the schema -->", "<!-- end of keys -->"
DOORS = {"sources": "Sources of images", "strategies": "Kinds of strategy", "policies": "Augmentation policies"}
TITLES = {
    "": "Top level",
    "datasets": "An entry of `datasets`",
    "backbones": "An entry of `backbones`",
    "strategies": "An entry of `strategies`",
    "budgets": "An entry of `budgets`",
    "exclude": "An entry of `exclude`",
}


def key_tables() -> str:
    """Markdown tables of every key: name, default, effect; one table for each level of the config."""
    schema = config.schema()
    levels = {"": dict(schema["properties"].items())}
    for name, part in schema["properties"].items():
        if part.get("properties"):
            levels[name] = part["properties"]
        elif isinstance(part.get("additionalProperties"), dict):
            levels[name] = part["additionalProperties"]["properties"]
        elif isinstance(part.get("items", {}).get("properties"), dict):
            levels[name] = part["items"]["properties"]
    blocks = []
    for name, keys in levels.items():
        rows = [f"| `{key}` | {_default(part)} | {part['description']} |" for key, part in keys.items()]
        title = TITLES.get(name, f"`{name}`")
        blocks.append("\n".join([f"### {title}", "", "| key | default | effect |", "|---|---|---|", *rows]))
    for door, title in DOORS.items():
        rows = [f"| `{name}` | {_first_line(door, name)}{_known_sets(door, name)} |" for name in kinds.names(door)]
        blocks.append("\n".join([f"### {title}", "", "| name | what it is |", "|---|---|", *rows]))
    return "\n\n".join(blocks)


def _default(part: dict) -> str:
    default = part.get("default")
    return "" if default in ({}, None) and part.get("type") in ("object", "array") else f"`{json.dumps(default)}`"


def _first_line(door: str, name: str) -> str:
    return (
        (kinds.PACKAGE / kinds.DOORS[door] / f"{name}.py")
        .read_text(encoding="utf-8")
        .split('"""')[1]
        .strip()
        .splitlines()[0]
    )


def _known_sets(door: str, name: str) -> str:
    known = [each for each in kinds.declared(name, door).get("sizes", {}) if each]
    return f" Names: {choices(known)}." if known else ""


def render(text: str) -> str:
    """`text` with what stands between the two markers replaced."""
    return rewritten(text, BEGIN, END, key_tables())


if __name__ == "__main__":
    README.write_text(render(README.read_text(encoding="utf-8")), encoding="utf-8")
