import ast
import importlib

import pytest

from ftbench.base.errors import InputError
from ftbench.data.sources import digits
from ftbench.study import config, kinds
from ftbench.study.checks import beyond_schema
from ftbench.study.listing import LISTINGS

# These are no policies: weights "none", class weights "none", and images that are cropped to fit.
ELSEWHERE = {'== "none"', '!= "none"', '== "crop"', '== "parquet"'}  # the last is a form of files
VALUES = {
    "start": {"random", "pretrained", "probe", "any", "of", "given"},
    "engine": {"loop", "features", "runs", "given"},
    "tuned": {"learning_rate", "l2", "k", "alpha", None},
    "stochastic": {True, False},
}
LEFT_OUT = (
    "options",
    "bank",
    "linear_head",
    "together",
    "shared_start",
    "training_passes",
)  # facts that most kinds do not state


@pytest.mark.parametrize("kind", kinds.names("strategies"))
def test_every_strategy_declares_all_its_facts_with_known_values(kind):
    declares = kinds.declared(kind)
    assert {*VALUES, "recipe"} <= set(declares) <= {*VALUES, "recipe", *LEFT_OUT}
    for key, valid in VALUES.items():
        assert declares[key] in valid, key
    assert (declares["engine"] == "runs") >= (declares["start"] == "of" or declares.get("together", False))
    assert (declares["engine"] == "given") == (declares["start"] == "given")
    assert set(declares["recipe"]) <= {*config.recipe_keys(), "learning_rate"}
    assert (declares["engine"] == "features") == (declares["tuned"] in ("l2", "k"))
    given = config.schema()["properties"]["strategies"]["additionalProperties"]["properties"]
    for option, value in declares.get("options", {}).items():
        assert given[option]["default"] == value  # what the documentation says


@pytest.mark.parametrize("kind", kinds.names("policies"))
def test_a_policy_without_flip_is_a_policy_that_does_not_flip(kind):
    stand_in = kinds.declared(kind, "policies")["without_flip"]
    assert stand_in in kinds.names("policies") and "flip" not in stand_in
    assert kinds.declared(stand_in, "policies")["without_flip"] == stand_in  # already without
    whole = {"trivial_augment": "crop_flip_trivial_augment", "randaugment": "crop_flip_randaugment"}.get(kind, kind)
    assert set(stand_in.split("_")) == set(whole.split("_")) - {"flip"}  # and nothing else is lost


@pytest.mark.parametrize("kind", kinds.names("sources"))
def test_every_source_declares_all_its_facts_with_known_values(kind):
    facts = kinds.declared(kind, "sources")
    assert set(facts) - {"suffixes"} == {"needs", "options", "download", "listing", "sizes"}
    assert ("suffixes" in facts) == (facts["listing"] == "shards")
    assert facts["needs"] in ("name", "path", None)
    assert {facts["needs"], *facts["options"]} - {None} <= beyond_schema.SOURCES
    assert facts["download"] in (True, False) and facts["listing"] in (None, *LISTINGS)
    assert (facts["listing"] is not None) == (facts["needs"] == "path")
    for known, sizes in facts["sizes"].items():
        assert (known is None) == (facts["needs"] is None) and len(sizes) == 3 and all(size > 0 for size in sizes)


def test_the_digits_are_as_many_as_declared():
    classes, items = digits.read({"groups": None, "test_fraction": None}, None, "train")
    _, tests = digits.read({"groups": None, "test_fraction": None}, None, "test")
    assert (len(list(items)), len(list(tests)), len(classes)) == kinds.declared("digits", "sources")["sizes"][None]


@pytest.mark.parametrize("kind", kinds.names("architectures"))
def test_a_library_that_publishes_weights_can_fetch_them(kind):
    module = importlib.import_module(kinds.module("architectures", kind))
    assert kinds.declared(kind, "architectures")["publishes"] in (True, False)
    if kind != "ftbench":
        assert kinds.declared(kind, "architectures") == {"publishes": True}
    assert callable(module.published)


@pytest.mark.parametrize("door", kinds.DOORS)
def test_no_kind_is_named_outside_its_own_file_and_its_helpers(door):
    """The package asks for facts. A name of its own folder, in code or in a sentence that is not a docstring, is a fault."""
    folder = kinds.PACKAGE / kinds.DOORS[door]
    rules = kinds.PACKAGE.parents[1] / "rules"
    for path in [*sorted(kinds.PACKAGE.rglob("*.py")), *sorted(rules.glob("*.smk"))]:
        if folder in path.parents:
            continue
        text = path.read_text(encoding="utf-8")
        quoted = {quote for name in kinds.names(door) for quote in (f'== "{name}"', f'!= "{name}"') if quote in text}
        assert not quoted - ELSEWHERE, f"{path} asks for {quoted}"


@pytest.mark.parametrize("door", kinds.DOORS)
def test_the_declarations_read_from_the_syntax_tree_are_those_of_the_module(door):
    for name in kinds.names(door):
        assert kinds.declared(name, door) == importlib.import_module(kinds.module(door, name)).DECLARES


@pytest.mark.parametrize("door", ["strategies", "policies", "sources", "architectures"])
def test_names_are_the_files_of_the_folder(door):
    found = kinds.names(door)
    assert list(found) == sorted(found) and found
    for name in found:
        text = (kinds.PACKAGE / kinds.DOORS[door] / f"{name}.py").read_text(encoding="utf-8")
        # Readers of the report get it as it is.
        assert kinds.says(name, door) == ast.get_docstring(ast.parse(text)).splitlines()[0]
        assert kinds.says(name, door).endswith((".", ":")) and len(kinds.says(name, door)) > 20
        kinds.check(door, name, "key")


def test_an_unknown_name_is_one_sentence_with_the_valid_ones():
    with pytest.raises(InputError) as caught:
        kinds.check("policies", "mirror", "training.augmentation")
    assert str(caught.value) == (
        f"config: training.augmentation is 'mirror', which does not exist; valid: {', '.join(kinds.names('policies'))}."
    )
    with pytest.raises(InputError, match="'_torchvision_sets', which does not exist"):  # a helper, not a kind
        kinds.check("sources", "_torchvision_sets", "datasets.x.source")


def test_a_dropped_in_file_is_a_kind_and_one_without_facts_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / kinds.DOORS["strategies"]
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text('"""Mine."""\nimport no_such_module\nDECLARES = {"start": "any"}\n')
    (folder / "bare.py").write_text('"""Bare."""\n')
    (folder / "_helper.py").write_text('"""Not a kind."""\n')
    monkeypatch.setattr(kinds, "PACKAGE", tmp_path)
    for cached in (kinds.names, kinds.declared, kinds._tree):
        cached.cache_clear()
    try:
        assert kinds.names("strategies") == ("bare", "mine")
        assert kinds.says("mine") == "Mine."
        assert kinds.declared("mine") == {"start": "any"}  # read without importing it
        with pytest.raises(InputError, match=r"strategies/bare\.py has no DECLARES"):
            kinds.declared("bare")
    finally:
        for cached in (kinds.names, kinds.declared, kinds._tree):
            cached.cache_clear()
