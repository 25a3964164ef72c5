"""Write docs/commands.md's reference from the parsers of the commands: `python -m ftbench.tools.documents.command_doc`. A test holds them in step."""

import argparse
from pathlib import Path

from ftbench.tools import command_line
from ftbench.tools.documents.marked import rewritten

PAGE = Path(__file__).parents[5] / "docs" / "commands.md"
BEGIN, END = "<!-- reference: written by ftbench.tools.documents.command_doc -->", "<!-- end of reference -->"


def reference() -> str:
    """A section per command: its docstring, then a row per argument."""
    commands = _commands()
    return "\n\n".join(_section(name, commands[name]) for name in command_line.names())


def _commands() -> dict[str, argparse.ArgumentParser]:
    top = command_line.parser()
    return next(action.choices for action in top._actions if isinstance(action, argparse._SubParsersAction))


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    rows = [_row(action, parser) for action in parser._actions if action.dest != "help"]
    table = "\n".join(["| argument | meaning |", "|---|---|", *rows])
    return f"## ftbench {name}\n\n{_text(command_line.load(name).__doc__)}\n\n{table}"


def _text(docstring: str) -> str:
    """A docstring as Markdown: indented lines are commands."""
    lines, inside = [], False
    for line in docstring.strip().splitlines():
        is_code = line.startswith("    ")
        if is_code != inside and (line or not inside):
            lines.append("```")
            inside = is_code
        lines.append(line.removeprefix("    "))
    return "\n".join([*lines, "```"] if inside else lines)


def _row(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    shown = action.metavar or (None if action.nargs == 0 else "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper())  # fmt: skip
    names = [f"{option} {shown}" if shown else option for option in action.option_strings] or [str(shown)]
    help_ = (action.help or "") % {"default": action.default, "prog": parser.prog}
    return f"| `{', '.join(names)}` | {help_.replace('|', chr(92) + '|')} |"


def render(text: str) -> str:
    """`text` with what stands between the two markers replaced."""
    return rewritten(text, BEGIN, END, reference())


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
