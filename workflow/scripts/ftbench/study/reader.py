"""Read a config file into plain values, or say in one sentence why not: the same for every command and for the Snakefile.

YAML can say more than a study needs: tags that make objects, aliases that stand for themselves, tables as keys, numbers with a
colon. Each of these is refused. All bounds are looked at before anything is expanded, so that no file, however made, takes
more than moments.
"""

import math
import re
import sys
import unicodedata
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import yaml

from ftbench.base.errors import InputError

MAX_BYTES = 1 << 18  # the shipped config with a comment on every key has 7 kB
MAX_DEPTH = 20  # tables and lists inside each other; a study has 5
MAX_VALUES = 50_000  # after aliases are expanded
MAX_DIGITS = 20  # of a whole number; the largest seed has as many
MAX_TEXT = 1_000  # characters of a name or path
MAX_NUMBER = 2**64 - 1  # the largest seed that torch takes
SHOWN = 160  # characters of a value in a sentence
# Marks that turn the direction of the text around them: what is read on a screen is not what is written.
TURNS = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}
PARSER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def load(path: str | Path) -> dict:
    """The plain values of a config file: text, numbers, true, false, null, lists and tables with text as keys."""
    text = _text(Path(path))
    try:
        loader = _Loader(_bounded(path, text))
        config = loader.get_single_data()
    except yaml.YAMLError as error:
        reason = shown_text(" ".join(str(error).replace('in "<unicode string>", ', "in ").split()), 2 * SHOWN)
        raise InputError(f"{path} is not valid YAML: {reason}.") from error
    if not isinstance({} if config is None else config, dict):
        raise InputError(f"{path} holds {shown(config)}; a config is a mapping of keys to values.")
    check_plain(config or {})
    return config or {}


def refuse_arguments(arguments: list[str]) -> None:
    """End Snakemake with a sentence if a file that its arguments name as --configfile cannot be read.

    The profiles call this: Snakemake reads its profile first, then the config files by itself, and last the Snakefile. What it
    cannot read there is a traceback.
    """
    named, taken = [], False
    for argument in arguments:
        option, _, value = argument.partition("=")
        if option in ("--configfile", "--configfiles"):
            named, taken = [*named, *([value] if value else [])], not value
        elif argument.startswith("-"):
            taken = False
        elif taken:
            named.append(argument)
    try:
        for path in named:
            load(path)
    except InputError as error:
        sys.exit(str(error))


def _text(path: Path) -> str:
    try:
        if not path.exists():
            raise InputError(f"There is no config file {shown_text(str(path))}.")
        if not path.is_file():
            raise InputError(f"{path} is a folder or a device; give the path of a config file.")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        why = getattr(error, "strerror", None) or error
        raise InputError(f"The config file {shown_text(str(path))} cannot be read ({why}).") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{path} has more than {MAX_BYTES:,} bytes; no study needs so long a config.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not in UTF-8; save it again in UTF-8.") from error


def _bounded(path: str | Path, text: str) -> Iterator[yaml.Event]:
    """The events of a YAML text. Raises InputError for tags, and where tables are too many, too deep or inside themselves.

    An alias counts as much as what it stands for, in number and in depth, and is never expanded here.
    """
    total, deepest = 0, 0  # values so far, and the depth below the innermost open table
    open_tables: list[tuple[str | None, int, int]] = []  # (anchor, values before it, depth seen before it)
    anchors: dict[str, tuple[int, int]] = {}  # name: (values, depth)

    def refuse(event: yaml.Event, why: str) -> InputError:
        return InputError(f"{path}: line {event.start_mark.line + 1} {why}.")

    for event in yaml.parse(text, Loader=PARSER):
        if getattr(event, "tag", None):
            raise refuse(event, f"has the tag {shown_text(event.tag)}; a config needs none, remove it")
        match event:
            case yaml.AliasEvent():
                if any(anchor == event.anchor for anchor, _, _ in open_tables):
                    raise refuse(event, f"puts *{shown_text(event.anchor)} into itself")
                values, depth = anchors.get(event.anchor, (1, 0))  # one that is not defined is said when it is read
                total, deepest = total + values, max(deepest, depth)
            case yaml.ScalarEvent():
                total += 1
                if event.anchor:
                    anchors[event.anchor] = (1, 0)
            case yaml.CollectionStartEvent():
                open_tables.append((event.anchor, total, deepest))
                total, deepest = total + 1, 0
            case yaml.CollectionEndEvent():
                anchor, before, outside = open_tables.pop()
                if anchor:
                    anchors[anchor] = (total - before, deepest + 1)
                deepest = max(outside, deepest + 1)
        if total > MAX_VALUES:
            raise refuse(event, f"is where the config grows beyond {MAX_VALUES:,} values, aliases included")
        if len(open_tables) + deepest > MAX_DEPTH:
            raise refuse(event, f"is inside more than {MAX_DEPTH} lists and tables; a study has 5 at most")
        yield event


class _Loader(yaml.composer.Composer, yaml.constructor.SafeConstructor, yaml.resolver.Resolver):
    """Plain values from the events of a YAML text. Tables name no key twice: of two, YAML keeps the second in silence."""

    def __init__(self, events: Iterator[yaml.Event]):
        self._events, self._next = events, deque()
        yaml.composer.Composer.__init__(self)
        yaml.constructor.SafeConstructor.__init__(self)
        yaml.resolver.Resolver.__init__(self)

    def peek_event(self) -> yaml.Event:
        if not self._next:
            self._next.append(next(self._events))
        return self._next[0]

    def get_event(self) -> yaml.Event:
        self.peek_event()
        return self._next.popleft()

    def check_event(self, *kinds: type) -> bool:
        return isinstance(self.peek_event(), kinds)

    def construct_mapping(self, node, deep=False):
        seen = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused(key, "a key is a list or table; keys are text")
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                name, line = shown_text(key.value), seen[key.value]
                raise _refused(key, f"the key {name} stands here and in line {line} of the same table")
            seen[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node):
        if not re.fullmatch(rf"[-+]?(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})", node.value, re.ASCII):
            raise _refused(node, _misread(node.value))
        return int(node.value)

    def construct_yaml_float(self, node):
        if re.search("[:_]", node.value):
            raise _refused(node, _misread(node.value))
        return super().construct_yaml_float(node)

    def construct_yaml_timestamp(self, node):
        raise _refused(node, f"{shown_text(node.value)} is read as a date; put it in quotes if it is a text")


for _kind in ("int", "float", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", getattr(_Loader, f"construct_yaml_{_kind}"))


def _refused(node: yaml.Node, why: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, why, node.start_mark)


def _misread(text: str) -> str:
    if text.lstrip("+-").isdecimal() and not text.lstrip("+-").startswith("0"):
        return f"a number of {len(text)} digits; the longest that a study needs has {MAX_DIGITS}"
    return (
        f"{shown_text(text)} is a number in YAML's own notation (to base 8, 16 or 60, or with _); write it in plain decimal digits, "
        "or put it in quotes if it is a text"
    )


def number(text: str) -> bool | int | float | str | None:
    """What a text means where the config wants no text: a number, true, false or null; else the text itself."""
    words = {"true": True, "false": False, "null": None}
    if text.strip().lower() in words:
        return words[text.strip().lower()]
    if re.fullmatch(rf"\s*[-+]?[0-9]{{1,{MAX_DIGITS}}}\s*", text, re.ASCII):
        return int(text)
    if re.fullmatch(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?\s*", text[:100], re.ASCII | re.IGNORECASE):
        return float(text)
    return text


def check_plain(config: dict) -> None:
    """Raise InputError unless all is plain: few enough values, text as keys, numbers of a usable size, no control characters.

    `config` may come from elsewhere than a file: from Snakemake's --config, or from a program.
    """
    waiting, total = [((), config)], 0
    while waiting:
        place, value = waiting.pop()
        total += 1
        key = shown_text(".".join(map(str, place)), SHOWN) or "the config"
        if total > MAX_VALUES:
            raise InputError(f"config: it holds more than {MAX_VALUES:,} values; no study needs so many.")
        if len(place) > MAX_DEPTH:
            raise InputError(f"config: {key} is inside more than {MAX_DEPTH} lists and tables; a study has 5 at most.")
        match value:
            case dict():
                for name in value:
                    if not isinstance(name, str):
                        raise InputError(
                            f"config: {key} has the name {shown(name)}, which YAML reads as no text; put it in quotes."
                        )
                    _check_text(name, f"{key} has the name")
                waiting.extend(((*place, name), entry) for name, entry in value.items())
            case list() | tuple():
                waiting.extend(((*place, number), entry) for number, entry in enumerate(value))
            case str():
                _check_text(value, f"{key} is")
            case int() if abs(value) > MAX_NUMBER:
                raise InputError(f"config: {key} is {shown(value)}; it must be at most {MAX_NUMBER}.")
            case float() if not math.isfinite(value):
                raise InputError(f"config: {key} is {value}; it must be a finite number.")
            case None | bool() | int() | float():
                pass
            case _:
                raise InputError(
                    f"config: {key} is {shown(value)}, of the type {type(value).__name__}; put it in quotes if it is a text."
                )


def _check_text(text: str, what: str) -> None:
    if len(text) > MAX_TEXT:
        raise InputError(f"config: {what} {shown(text)}; no text of a config has more than {MAX_TEXT:,}.")
    strange = next((sign for sign in text if unicodedata.category(sign) in ("Cc", "Cs") or sign in TURNS), None)
    if strange is not None:
        raise InputError(
            f"config: {what} {shown(text)}, which holds the invisible character U+{ord(strange):04X}; remove it."
        )


def shown(value) -> str:
    """A value for a sentence: its repr, cut where it is long."""
    try:
        return shown_text(repr(value))
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"


def shown_text(text: str, most: int = SHOWN) -> str:
    """A text for a sentence, in printable characters, cut where it is long."""
    plain = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text[: most + 1])
    return plain if len(text) <= most else f"{plain[:most]}... ({len(text):,} characters)"
