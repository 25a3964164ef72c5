"""The command `ftbench`: it finds the file of the command that was given, and runs it.

A command is one file in `tools/commands/`. Its docstring is its help: the first line says what it does, the rest ends with an
example. It has two functions:

    add_arguments(parser)   what the command takes, as argparse wants it
    run(arguments)          do it; returns the exit status, or None for 0; an InputError ends it with its sentence

A command file imports what is heavy inside `run`, so that `ftbench --help` takes a moment.
"""

import argparse
import difflib
import importlib
import sys
from pathlib import Path
from types import ModuleType

from ftbench import __version__
from ftbench.base.errors import InputError

FOLDER = Path(__file__).parent / "commands"
USAGE_ERROR = 2  # the exit status of argparse itself
INTERRUPTED = 130  # a shell's exit status of a program that Ctrl-C ended


def names() -> list[str]:
    """Every command, sorted: the files of `tools/commands/`."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def load(name: str) -> ModuleType:
    return importlib.import_module(f"ftbench.tools.commands.{name}")


class _Parser(argparse.ArgumentParser):
    """A parser that keeps the lines of a help text, and names the nearest command if there is none of a name."""

    def __init__(self, **settings):
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices and action.dest == "command":
            near = difflib.get_close_matches(value, action.choices, n=1)
            hint = f"did you mean `ftbench {near[0]}`?" if near else f"valid: {', '.join(action.choices)}."
            self.exit(
                USAGE_ERROR, f"ftbench: there is no command {value!r}; {hint} `ftbench --help` explains them all.\n"
            )
        super()._check_value(action, value)


def parser() -> argparse.ArgumentParser:
    """The parser of every command; nothing heavy is imported for it."""
    top = _Parser(
        prog="ftbench",
        description="Which pretrained backbone, fine-tuned by which strategy, at which cost, for these images.",
        epilog="`ftbench COMMAND --help` has an example of each. A study is run by `snakemake` or by `make study`.",
    )
    top.add_argument("--version", action="version", version=f"ftbench {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name in names():
        module = load(name)
        line, _, rest = module.__doc__.partition("\n")
        own = commands.add_parser(name, help=line, description=f"{line}\n{rest}".strip())
        module.add_arguments(own)
    return top


def main(given: list[str] | None = None) -> int:
    """Run the command line `given` (by default this process's own) and return its exit status."""
    arguments = parser().parse_args(given)
    try:
        return load(arguments.command).run(arguments) or 0
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"ftbench {arguments.command}: interrupted.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
