"""`ftbench init`: from a path to a printed account, a config and perhaps a table of groups."""

from pathlib import Path

import yaml

from ftbench.base.errors import InputError
from ftbench.base.given.walk import shown
from ftbench.study.checks import beyond_schema
from ftbench.tools.first_look import config_text, draft, tell
from ftbench.tools.first_look.divide import groups_table
from ftbench.tools.first_look.entry import entry_of
from ftbench.tools.first_look.machine import machine, obtainable
from ftbench.tools.first_look.seen import look


def init(
    path: str, output: str | None, given: list[str], limit: float | None, most: int, weights=obtainable
) -> draft.Draft:
    """Look, print, write. Raises InputError, one sentence, on what cannot be read and on names that are taken; then nothing is written."""
    if most < 0:
        raise InputError(f"--open: {most} is no number of images; give one from 1, or 0 for all.")
    if limit is not None and not 0 < limit < float("inf"):
        raise InputError(f"--hours: {limit:g} is no length of time; give a number above 0.")
    keys = _keys(given)
    name, config = draft.output_of(path, output)
    entry = entry_of(path, keys)
    classes, parts = entry.read()
    here = machine()
    seen = look(classes, parts, most or None, here.cores)
    made = draft.draft(name, config, entry, seen, here, limit, weights)
    text = config_text.config_text(made)
    print("\n".join(tell.found(made)))
    files = {config: text}
    if made.groups and made.groups.column is None and entry.takes("groups"):
        files = {draft.groups_file(config): groups_table(made.groups), **files}
    draft.parsed(text)
    _write(files)
    beyond_schema.check_files(draft.parsed(text))
    print("\n".join(tell.chosen(made)))
    return made


def _keys(given: list[str]) -> dict:
    """{key: value} of the options --set. Raises InputError if one has no `=` or a value that is no YAML."""
    keys = {}
    for text in given:
        key, equals, value = text.partition("=")
        try:
            keys[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set: the value of {text} is no valid YAML; write it as in a config.") from error
        if not equals:
            raise InputError(f"--set: {text} has no value; write KEY=VALUE, such as --set 'exclude=[masks]'.")
    return keys


def _write(files: dict[Path, str]) -> None:
    """Write files that do not exist yet, all or none."""
    written = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "x", encoding="utf-8") as stream:
                written.append(path)
                stream.write(text)
    except OSError as error:
        for path in written:
            path.unlink()
        why = (
            "exists already and is never overwritten"
            if isinstance(error, FileExistsError)
            else f"cannot be written ({error.strerror})"
        )
        raise InputError(f"--output: {shown(error.filename)} {why}; give another by --output.") from error
