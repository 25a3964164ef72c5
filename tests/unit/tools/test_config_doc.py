import json

from ftbench.study import config, kinds
from ftbench.tools.documents import config_doc


def test_the_readme_is_in_step_with_the_schema():
    text = config_doc.README.read_text(encoding="utf-8")
    assert config_doc.render(text) == text, (
        "run: PYTHONPATH=workflow/scripts python -m ftbench.tools.documents.config_doc"
    )


def test_rendering_replaces_what_stands_between_the_markers_and_nothing_else():
    text = f"before\n{config_doc.BEGIN}\nstale\n{config_doc.END}\nafter\n"
    rendered = config_doc.render(text)
    assert rendered.startswith(f"before\n{config_doc.BEGIN}\n\n### Top level") and "stale" not in rendered
    assert rendered.endswith(f"{config_doc.END}\nafter\n")
    assert config_doc.render(rendered) == rendered


def test_the_tables_hold_every_key_kind_and_policy():
    table = config_doc.key_tables()
    for key, part in config.schema()["properties"].items():
        assert f"| `{key}` | " in table
        for inner, sub in part.get("properties", {}).items():
            assert f"| `{inner}` | `{json.dumps(sub['default'])}` | {sub['description']} |" in table
    assert "CIFAR10" in next(line for line in table.splitlines() if line.startswith("| `torchvision` | "))
    for folder in ("sources", "strategies", "policies"):
        for name in kinds.names(folder):
            line = next(line for line in table.splitlines() if line.startswith(f"| `{name}` | "))
            assert len(line) > len(f"| `{name}` |  |")


def test_no_row_breaks_the_table():
    for block in config_doc.key_tables().split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1, block
