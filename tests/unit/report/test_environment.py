"""The commands of a study and the machines of its runs."""

import json
import sys

import pytest

from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.report.provenance.crate import describe_crate
from ftbench.report.provenance.environment import given_predictions, machines
from ftbench.study.driver.commands import note_command, read_commands


def test_commands_are_kept_in_order_and_can_be_pasted_into_a_shell(tmp_path, monkeypatch):
    assert read_commands(tmp_path) == []
    for arguments in (["--cores", "2"], ["--config", "seeds=[0, 1]"]):
        monkeypatch.setattr(sys, "argv", ["/somewhere/snakemake/__main__.py", *arguments])
        note_command(tmp_path)
    noted = read_commands(tmp_path)
    assert [entry["command"] for entry in noted] == ["snakemake --cores 2", "snakemake --config 'seeds=[0, 1]'"]
    assert noted[0]["started"] <= noted[1]["started"]
    assert all(json.dumps(entry) for entry in noted)


def test_a_folder_that_cannot_be_written_is_said_before_anything_runs(tmp_path):
    (tmp_path / "logs").touch()  # as good as a read-only disk
    with pytest.raises(
        InputError, match=r"logs/commands\.jsonl cannot be written \(.+\); give a folder of results that is yours"
    ):
        note_command(tmp_path)


def test_runs_are_counted_per_device_and_set_of_versions():
    old, new = {"torch": "2.13"}, {"torch": "2.14"}
    records = [
        {"device": "cuda", "device_name": name, "versions": versions}
        for name, versions in (("A100", new), ("A100", new), ("A100", old), ("H100", new))
    ]
    assert machines(records)[0] == {"device": "cuda", "device_name": "A100", "versions": new, "runs": 2}
    assert sum(entry["runs"] for entry in machines(records)) == 4
    assert len(machines(records)) == 3


def test_given_predictions_stand_beside_data_and_weights_with_their_digest(tmp_path):
    trained = {"dataset": "pets", "backbone": "a", "strategy": "finetune", "digests": {"weights": "1"}}
    given = {"dataset": "pets", "backbone": "a cloud", "strategy": "api", "digests": {"predictions": "ab12"}}
    found = given_predictions([trained, given])
    assert found == [{"dataset": "pets", "backbone": "a cloud", "strategy": "api", "sha256": "ab12"}]
    known = {"study": "s", "config_sha256": "0" * 64, "finetune_bench": "0.1.0", "versions": {}, "machines": [],
             "commands": [], "datasets": {}, "weights": [], "predictions": found}  # fmt: skip
    write_json(tmp_path / "environment.json", known)
    describe_crate(str(tmp_path / "environment.json"), [], "CC0", str(tmp_path / "ro-crate-metadata.json"))
    entities = {entity["@id"]: entity for entity in read_json(tmp_path / "ro-crate-metadata.json")["@graph"]}
    assert entities["#predictions-0"]["name"] == "Predictions of a cloud (api) on pets"
    assert entities["#predictions-0"]["identifier"] == "sha256:ab12"
    assert (
        entities["#run"]["object"] == {"@id": "#predictions-0"}
        or {"@id": "#predictions-0"} in entities["#run"]["object"]
    )
