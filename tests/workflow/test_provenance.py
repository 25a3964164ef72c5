"""What a study says of itself: environment.json, and the same as an RO-Crate."""

import json

import pytest
from rocrate.rocrate import ROCrate
from studies import runs

from ftbench.base.digests import digest, sha256_of_file

CRATE = "results/tiny/ro-crate-metadata.json"


def read(path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def environment(finished):
    return read(finished.clone.path("environment.json"))


def test_the_environment_names_versions_machines_and_commands(finished, environment):
    run = read(finished.clone.path("runs/digits/small/scratch/seed0/run.json"))
    assert {name: environment["versions"][name] for name in ("python", "torch")} == {
        name: run["versions"][name] for name in ("python", "torch")
    }
    assert environment["config_sha256"] == digest(read(finished.clone.path("study.json")))
    (machine,) = environment["machines"]  # all of them ran here
    assert machine["device_name"] == run["device_name"]
    assert machine["runs"] == len(runs())
    assert run["digests"]["code"] in environment["code"]
    assert len(environment["commands"]) == 2  # one start up to the last model, one for the rest
    assert "model.safetensors" in environment["commands"][0]["command"]
    assert environment["commands"][1]["command"].startswith("snakemake --cores 2")


def test_the_environment_names_data_and_weights_with_digests_and_licences(finished, environment):
    digits = environment["datasets"]["digits"]
    assert digits["licence"] == "CC BY 4.0"
    assert digits["train"]["sha256"] == read(finished.clone.path("data/digits/train.json"))["digest"]
    assert digits["test"]["images"] == 597
    assert environment["datasets"]["photos"]["licence"] == "not stated by the source"
    (weights,) = environment["weights"]
    (file,) = (finished.clone.root / "resources/weights/ftbench").glob("*.safetensors")
    assert weights["sha256"] == sha256_of_file(file)


def test_a_dry_run_and_a_start_without_jobs_are_no_commands_of_the_study(clone):
    before = clone.path("logs/commands.jsonl").read_text()
    clone.snakemake("--dry-run", "--forceall")
    clone.snakemake()
    assert clone.path("logs/commands.jsonl").read_text() == before


def test_the_crate_describes_every_result_and_copies_none(clone):
    config = clone.read_config() | {"licence": "https://creativecommons.org/licenses/by/4.0/"}
    clone.write_config(config)
    before = set(clone.contents())
    rules = {job.rule for job in clone.plan(CRATE)}
    assert rules >= {"record_study", "record_environment", "describe_crate"}
    assert not rules & {"train", "train_trial", "fit_probe", "predict_test", "evaluate"}
    clone.snakemake(CRATE)
    assert set(clone.contents()) - before == {"tiny/ro-crate-metadata.json"}

    crate = ROCrate(clone.path(""))  # the library's own reader: it refuses what is no crate
    graph = {entity["@id"]: entity for entity in read(clone.root / CRATE)["@graph"]}
    descriptor, root = graph["ro-crate-metadata.json"], graph["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"]["@id"].startswith("https://w3id.org/ro/crate/1.")
    assert {"name", "description", "datePublished", "license", "hasPart"} <= set(root)
    assert root["license"] == config["licence"]
    files = {part.id for part in crate.root_dataset["hasPart"]}
    for name in ("study.json", "environment.json", "tables/comparison.csv", "plots/digits.pareto.svg"):
        assert name in files
    assert len([name for name in files if name.endswith("model.safetensors")]) == len(runs())
    for name in files:
        assert graph[name]["@type"] == "File"
        assert graph[name]["sha256"] == sha256_of_file(clone.path(name))
        assert graph[name]["contentSize"] == str(clone.path(name).stat().st_size)

    action = graph["#run"]
    assert action["@type"] == "CreateAction"
    assert {entry["@id"] for entry in action["result"]} == files
    inputs = [graph[entry["@id"]] for entry in action["object"]]
    assert {entry["name"] for entry in inputs} >= {"photos", "digits"}
    assert all(entry["license"] and entry["identifier"].startswith("sha256:") for entry in inputs)
    assert graph[action["instrument"]["@id"]]["@type"] == "SoftwareApplication"
