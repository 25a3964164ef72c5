import pytest
from unit.synthetic import evaluate_study, write_study

from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.compare.comparison import compare
from ftbench.evaluate.cells import add_shared, zip_runs
from ftbench.evaluate.records import content, read_records, write_records

CELL = {"dataset": "d", "backbone": "b", "strategy": "s"}


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    study = write_study(root, images=40)
    paths = evaluate_study(study, root / "tables")
    write_records(study["runs"], root / "records.jsonl")
    return study["runs"], paths, root


def test_records_hold_what_the_files_held_in_the_order_that_is_asked_for(gathered):
    runs, _, root = gathered
    asked = [entry["labels"] for entry in runs[::-2]]
    logits = [entry["test_logits"] for entry in runs[::-2]]
    read = read_records(root / "records.jsonl", asked, "run", "metrics", test_logits=logits)
    for entry, own in zip(read, runs[::-2], strict=True):
        files = {name: read_json(own[name]) for name in ("run", "metrics")}
        assert entry == {"labels": own["labels"], "test_logits": own["test_logits"]} | files
    assert set(read_records(root / "records.jsonl", asked, "run")[0]) == {"labels", "run"}


def test_a_comparison_of_records_is_that_of_files(gathered, tmp_path):
    runs, paths, root = gathered
    labels, logits = ([entry[name] for entry in runs] for name in ("labels", "test_logits"))
    names = ("cells", "pairwise", "differences", "classes")
    records = read_records(root / "records.jsonl", labels, "run", test_logits=logits)
    compare(records, "accuracy", *(tmp_path / f"{name}.csv" for name in names))
    for name in names:
        assert (tmp_path / f"{name}.csv").read_text() == paths[name].read_text()


def test_a_run_without_a_record_and_a_missing_file_are_said(gathered):
    runs, _, root = gathered
    stranger = runs[0]["labels"] | {"seed": 77}
    with pytest.raises(InputError, match=r"records.jsonl has no record of .*77.*: delete it and start again"):
        read_records(root / "records.jsonl", [stranger], "run")
    with pytest.raises(ValueError):
        read_records(root / "records.jsonl", [runs[0]["labels"]], "run", test_logits=[])


def test_content_is_the_same_from_a_file_and_as_it_is(gathered):
    runs, _, _ = gathered
    assert content(runs[0]["run"]) == content(content(runs[0]["run"]))


def test_shared_files_reach_the_runs_that_they_belong_to():
    other = CELL | {"strategy": "t"}
    runs = zip_runs([CELL | {"seed": 0}, other | {"seed": 0}, CELL | {"seed": 1}], run=["1", "2", "3"])
    add_shared(runs, [other, CELL], selected=["of t", "of s"])
    add_shared(runs, [{"dataset": "d", "backbone": "b"}], efficiency=["of b"])
    assert [entry["selected"] for entry in runs] == ["of s", "of t", "of s"]
    assert {entry["efficiency"] for entry in runs} == {"of b"}
    assert [entry["run"] for entry in runs] == ["1", "2", "3"]
