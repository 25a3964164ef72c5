"""Predictions from outside in a study: a label of their own in the grid, no job that needs a network, files that rerun what reads them."""

import pytest

from ftbench.base.errors import InputError
from ftbench.study import config, grid, inputs, report_files, settings
from ftbench.study.checks import beyond_schema

CLOUD = grid.Cell("one", "cloud", "api")


def raw(**given) -> dict:
    entry = {"kind": "predictions", "backbone": "cloud", "files": {"one": ["val.csv", "test.csv"]}}
    return {
        "study": "s",
        "seeds": [4, 5],
        "datasets": {"one": {"source": "digits"}, "two": {"source": "digits"}},
        "backbones": {"net": {"source": "timm", "model": "resnet18", "weights": "a1_in1k", "activation": "relu"}},
        "strategies": {"probe": {"kind": "linear_probe"}, "scratch": {"kind": "scratch"}, "api": entry | given},
    }


def test_a_cell_stands_on_its_own_label_and_on_the_data_sets_that_were_answered():
    study = config.resolve(raw())
    cells = grid.cells(study)
    assert [cell for cell in cells if cell.backbone == "cloud" or cell.strategy == "api"] == [CLOUD]
    assert grid.backbones(study) == ["net", "cloud"] and len(cells) == 5
    assert grid.seeds_of(study, "api") == [0] and grid.start(study, "cloud", "api") == "given"
    excluded = config.resolve(raw() | {"exclude": [{"backbone": "cloud", "dataset": "one"}]})
    assert CLOUD not in grid.cells(excluded)


def test_no_network_is_asked_of_it():
    study = config.resolve(raw())
    cells = grid.cells(study)
    assert CLOUD not in inputs.pretrained(study, cells) and CLOUD not in inputs.here(study, cells)
    assert "cloud" not in {place["backbone"] for place in inputs.places(inputs.here(study, cells))}
    assert all("timm" in path for path in inputs.weights_records(study, cells))
    for labels in (inputs.networks(study, cells), inputs.corrupted_runs(study, cells)):
        assert {"net"} == {run["backbone"] for run in labels}
    assert inputs.judges(study, [cell for cell in cells if cell.dataset == "one"]) == ["net"]
    assert {entry["labels"]["backbone"] for entry in inputs.silent_unit_cells(study, cells)} == {"net"}
    assert inputs.axes(study, cells) == ["activations"]
    assert report_files.tables(study, cells) and report_files.plots(study, cells)


def test_each_part_has_its_own_file_and_digest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = config.resolve(raw(training_minutes=3))
    (tmp_path / "val.csv").write_text("a")
    before = settings.given_run(study, CLOUD), settings.predictions(study, CLOUD, "test")
    (tmp_path / "test.csv").write_text("b")
    after = settings.given_run(study, CLOUD), settings.predictions(study, CLOUD, "test")
    assert before[0] == after[0] and before[1] != after[1]
    assert "test.csv" not in str(after[0]) and after[0]["training_minutes"] == 3
    one = settings.predictions(config.resolve(raw(files={"one": "all.csv"})), CLOUD, "test")
    assert one["path"] == "all.csv" and one["shared"] and not after[1]["shared"]


def test_a_file_for_a_family_of_limits_answers_each_of_them():
    wanted = raw()
    wanted["datasets"]["one"]["train_limit"] = [5, 10]
    cells = grid.cells(config.resolve(wanted))
    assert [cell.dataset for cell in cells if cell.backbone == "cloud"] == ["one-5", "one-10"]


def test_a_rehearsal_leaves_it_out():
    small = config.resolve(
        raw() | {"smoke": True, "exclude": [{"strategy": "api"}, {"backbone": ["cloud", "net"], "dataset": "two"}]}
    )
    assert "api" not in small["strategies"] and small["exclude"] == [{"backbone": ["net"], "dataset": ["two"]}]


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"backbone": None}, "strategies.api.backbone is missing; give the name"),
        ({"backbone": "net"}, "strategies.api.backbone is 'net', which is one of backbones"),
        ({"backbone": "a b"}, "strategies.api.backbone has the name 'a b'"),
        ({"files": {}}, "strategies.api.files is missing"),
        (
            {"files": {"three": "a.csv"}},
            "strategies.api.files names 'three', which is not in datasets; valid: one, two",
        ),
        ({"files": {"one": ["a", "b", "c"]}}, "strategies.api.files.one is .*at most 2"),
        ({"files": {"one": "{a}.csv"}}, "strategies.api.files.one is '{a}.csv'"),
        ({"class_order": ["a", "a"]}, "class_order is .*which names a class twice"),
        ({"values": "percent"}, "strategies.api.values is 'percent'; valid: logits, probabilities"),
        (
            {"epochs": 3},
            "strategies.api.epochs has no effect on the kind predictions, which is a model that was trained elsewhere",
        ),
        ({"of": "scratch"}, "strategies.api.of has no effect on the kind predictions"),
        ({"training_minutes": -1}, "training_minutes is -1; it must be at least 0"),
    ],
)
def test_what_is_wrong_is_one_sentence(given, sentence):
    with pytest.raises(InputError, match=sentence):
        config.resolve(raw(**given))
    with pytest.raises(InputError, match="strategies.scratch.files has no effect"):
        wanted = raw()
        wanted["strategies"]["scratch"]["files"] = {"one": "a.csv"}
        config.resolve(wanted)


def test_a_missing_file_is_named_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "val.csv").write_text("a")
    with pytest.raises(InputError, match="strategies.api.files.one is test.csv, and there is no such file; give a CSV"):
        beyond_schema.check_files(config.resolve(raw()))
