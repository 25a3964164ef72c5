"""Thousands of damaged configs, the same ones every time: each is accepted or ends in short printable sentences, never in a traceback."""

import copy
import os
import random
from pathlib import Path

import pytest
import yaml

from ftbench.base.errors import InputError
from ftbench.study import config, reader
from ftbench.study.checks import beyond_schema

DEMO = Path(__file__).parents[3] / "config" / "demo.yaml"
LONGEST = reader.MAX_TEXT + 500  # characters of a sentence; a line for each of at most 21 faults
VALUES = [
    None, True, "", " ", "x", -1, 0, 0.5, 1e308, -0.0, 10**40, 10**5000, float("nan"), float("inf"), [], {}, [None], [[1]], {"a": {"b": 1}},
    "null", "1e3", "1_0", "0x1f", "1:30", "[1]", "*a", "&a b", "!!python/object:os.system x", "\u202eabc", "é" * 300, "a\x00b", "\ud800",
    "tiny\n", "../../etc", "/", "~", "{wild}", "}{", "$(touch pwned)", "`id`", "<script>alert(1)</script>", "=1+1", "x" * 5000, "x" * 61,
    {1: 2}, {None: 1}, {"a\nb": 1}, {"x" * 300: 1}, object(), b"bytes", {1, 2}, (1, 2), "file:" + "a" * 300, "file:a\0b", "file:{x}.pth", "run:",
    "run:a/b/c/d/seed" + "9" * 300, "run:../a/b/c/0", "pip:../../x", "pip:", "file:", " none", "__class__", list(range(300)), ["crop"] * 300,
]  # fmt: skip
YAML = [
    "!!python/object/apply:os.system ['touch pwned']", "!!binary aGVsbG8=", "!!set {a, b}", "!!int abc", "!!bool maybe", "!foo bar",
    "!!timestamp abc", "!!null xyz", "!!str {a: 1}", "!!seq {a: 1}", "*nope", "&a [*a]", "&b {x: *b}", "&b {<<: *b}", "{<<: 5}", "{<<: [1, 2]}",
    "{? [a, b] : 1}", "{? {a: b} : 1}", "{[a]: 1, [a]: 2}", "{: 1}", "{~: 1}", "{1: 2}", "{a: 1, a: 2}", "2024-01-01", "2024-01-01T00:00:00Z",
    "010", "1_000", "0x10", "1:30", "1:30.5", ".inf", "-.nan", "9" * 5000, "1e400", '"\\e[2J"', '"a\\nb"', '"\\ud800"', '"\\U00110000"', '"\\0"',
    "[" * 3000 + "]" * 3000, "{a: " * 3000 + "1" + "}" * 3000, "[" * 60 + "]" * 60, "[", '"', "}", "@", "`", "%", "\t", "---", "...", "a: b: c",
]  # fmt: skip


def places(value, at=()):
    """Every place of a nested value, as a tuple of keys."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*at, key))


def mutate(study: dict, rnd: random.Random) -> dict:
    """The study with one to three things replaced, removed, added or renamed."""
    study = copy.deepcopy(study)
    for _ in range(rnd.choice((1, 1, 1, 2, 3))):
        *path, last = rnd.choice([place for place in places(study) if place])
        table = study
        for key in path:
            table = table[key]
        match rnd.choice(("replace", "replace", "remove", "add", "rename")):
            case "remove":
                del table[last]
            case "add" if isinstance(table, dict):
                table[rnd.choice(["extra", "", " ", 1, True, None, "epochs ", "\n", "x" * 300])] = rnd.choice(VALUES)
            case "rename" if isinstance(table, dict):
                name = rnd.choice([value for value in VALUES if not isinstance(value, list | dict | set)])
                table[name] = table.pop(last)
            case _:
                table[last] = rnd.choice(VALUES)
    return study


def torn(text: str, rnd: random.Random) -> bytes:
    """The text of a config with a value exchanged for strange YAML, or with lines or bytes lost, doubled or changed."""
    lines = text.splitlines(keepends=True)
    number = rnd.randrange(len(lines))
    match rnd.choice(("value", "value", "value", "cut", "swap", "double", "byte", "indent")):
        case "value":
            key, colon, _ = lines[number].partition(":")
            lines[number] = f"{key}{colon} {rnd.choice(YAML)}\n"
        case "cut":
            del lines[number:]
        case "swap":
            other = rnd.randrange(len(lines))
            lines[number], lines[other] = lines[other], lines[number]
        case "double":
            lines.insert(number, lines[rnd.randrange(len(lines))])
        case "indent":
            lines[number] = rnd.choice(("\t", " ", "   ", "- ")) + lines[number]
        case "byte":
            content = bytearray(text.encode())
            content[rnd.randrange(len(content))] = rnd.randrange(256)
            return bytes(content)
    return "".join(lines).encode()


def sentences(read, given) -> str:
    """ "" for a config that is accepted, else what is said of it. Whatever else is raised fails the test."""
    try:
        beyond_schema.check_files(read(given))
    except InputError as error:
        said = str(error)
        for line in said.split("\n"):
            assert line.endswith((".", "…")) and line.isprintable() and len(line) <= LONGEST, line[:2000]
        assert said.count("\n") <= config.MAX_FAULTS
        return said
    return ""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(4))
def test_damaged_values_end_in_sentences(seed):
    rnd, study = random.Random(seed), yaml.safe_load(DEMO.read_text())
    refused = sum(bool(sentences(config.resolve, mutate(study, rnd))) for _ in range(500))
    assert 350 < refused < 500  # most of what is done to a config breaks it, some is harmless


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_end_in_sentences(seed, tmp_path):
    rnd, text = random.Random(seed), DEMO.read_text()
    path, refused = tmp_path / "study.yaml", 0
    for _ in range(400):
        path.write_bytes(torn(text, rnd))
        refused += bool(sentences(config.read, path))
    assert 200 < refused < 400
    assert list(tmp_path.iterdir()) == [path]  # no command of a config was run


LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
NESTED = "a0: &a0 []\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 30))


@pytest.mark.parametrize(
    "text, said",
    [
        (LAUGHS, "line 5 is where the config grows beyond 50,000 values, aliases included"),
        (NESTED, "line 20 is inside more than 20 lists and tables"),
        ("a: &a [*a]\n", "line 1 puts *a into itself"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1 has the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("? [a, b]\n: 1\n", "a key is a list or table; keys are text"),
        ("seeds: [1:30]\n", "1:30 is a number in YAML's own notation (to base 8, 16 or 60, or with _)"),
        ("seeds: [010]\n", "010 is a number in YAML's own notation"),
        (f"seeds: [{'9' * 5000}]\n", "a number of 5000 digits; the longest that a study needs has 20"),
        ("study: 2024-01-01\n", "2024-01-01 is read as a date; put it in quotes if it is a text"),
        ('study: "tiny\\n"\n', "config: study is 'tiny\\n', which holds the invisible character U+000A; remove it."),
        ('study: "\\u202ex"\n', "holds the invisible character U+202E"),
        ("1: 2\n", "config: the config has the name 1, which YAML reads as no text; put it in quotes."),
        ("- a\n", "holds ['a']; a config is a mapping of keys to values."),
        ("x" * 300_000, "has more than 262,144 bytes; no study needs so long a config."),
    ],
)  # fmt: skip
def test_what_a_file_may_not_hold_is_said(text, said, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        reader.load(path)
    assert said in str(caught.value)


def test_aliases_merges_and_a_byte_order_mark_are_plain_yaml(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: &a {x: 1, y: [2, 3]}\nb: *a\nc: {<<: *a, x: 5}\n")
    assert reader.load(path) == {"a": {"x": 1, "y": [2, 3]}, "b": {"x": 1, "y": [2, 3]}, "c": {"x": 5, "y": [2, 3]}}


def test_what_is_no_readable_file_is_said(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, said in [
        (tmp_path, "is a folder or a device"),
        (tmp_path / "pipe", "is a folder or a device"),
        (tmp_path / "none.yaml", "There is no config file"),
        (tmp_path / ("x" * 300), "cannot be read (File name too long)"),
        ("a\0b", r"There is no config file a\x00b."),
    ]:
        with pytest.raises(InputError, match=r"\.$") as caught:
            reader.load(path)
        assert said in str(caught.value) and str(caught.value).isprintable()


def test_values_in_a_circle_and_in_great_number_are_refused_whoever_gives_them():
    circle = {"study": "a"}
    circle["exclude"] = [circle]
    with pytest.raises(InputError, match="inside more than 20 lists and tables"):
        config.resolve(circle)
    many = []
    for _ in range(9):
        many = [many] * 9
    with pytest.raises(InputError, match="more than 50,000 values"):
        config.resolve({"study": "a", "exclude": many})


@pytest.mark.parametrize(
    "arguments, refused",
    [
        (["-n", "--configfile", "bad.yaml"], True),
        (["--configfiles", "good.yaml", "bad.yaml", "-n"], True),
        (["--configfile=bad.yaml"], True),
        (["--configfile", "good.yaml", "--", "bad.yaml"], False),
        (["bad.yaml", "--configfile", "good.yaml"], False),
        (["-n"], False),
    ],
)
def test_snakemakes_arguments_name_the_config_files_that_are_looked_at(arguments, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text("study: good\n")
    Path("bad.yaml").write_text("study: !!int bad\n")
    if not refused:
        reader.refuse_arguments(arguments)
        return
    with pytest.raises(
        SystemExit, match=r"bad\.yaml: line 1 has the tag tag:yaml.org,2002:int; a config needs none, remove it\."
    ):
        reader.refuse_arguments(arguments)
