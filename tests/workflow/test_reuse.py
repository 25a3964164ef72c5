"""The workflow as a part of others: as a module, and with a cache that several studies share."""

import re
import shutil
from pathlib import Path

import yaml
from studies import REPOSITORY, WEIGHTS, Clone, tiny, write_weights

CACHED = ("fetch_weights", "prepare_train", "prepare_test", "extract_features", "extract_test_features")
PARENT = """
configfile: "parent.yaml"


module small:
    snakefile: "REPOSITORY/workflow/Snakefile"
    config: config["small"]
    pathvars:
        results="out/small",
        logs="out/small/logs",
        benchmarks="out/small/benchmarks",
        resources="shared",


use rule * from small as small_*


module large:
    snakefile: "REPOSITORY/workflow/Snakefile"
    config: config["large"]
    pathvars:
        results="out/large",
        logs="out/large/logs",
        benchmarks="out/large/benchmarks",
        resources="shared",


use rule * from large as large_*


rule best:
    default_target: True
    input:
        "out/small/tables/cells.csv",
    output:
        "best.csv",
    shell:
        "grep -e dataset -e True {input} > {output}"
"""


def untuned(seeds: list[int]) -> dict:
    study = tiny() | {"seeds": seeds, "strategies": {"tutorial": {"kind": "tutorial"}}}
    study["datasets"] = {"digits": study["datasets"]["digits"]}
    study["backbones"] = {"small": study["backbones"]["small"]}
    return study | {"exclude": [], "training": study["training"] | {"epochs": 1}}


def test_two_studies_are_modules_of_another_workflow(tmp_path):
    """Each with a config and folders of its own, and nothing of the parent's config in it."""
    parent = Clone(tmp_path)
    (tmp_path / "Snakefile").write_text(PARENT.replace("REPOSITORY", str(REPOSITORY)))
    (tmp_path / "parent.yaml").write_text(
        yaml.safe_dump({"other": "the parent's own key", "small": untuned([0]), "large": untuned([0, 1, 2])})
    )
    given = ("--configfile", "parent.yaml")
    jobs = parent.plan("out/large/tables/cells.csv", *given)
    assert {job.wildcards["seed"] for job in jobs if job.rule == "large_train"} == {"0", "1", "2"}
    assert not [job for job in jobs if job.rule.startswith("small_")]
    parent.snakemake(*given)
    assert "tutorial" in (tmp_path / "best.csv").read_text()
    assert (tmp_path / "out/small/runs/digits/small/tutorial/seed0/run.json").exists()
    assert not (tmp_path / "results").exists()
    assert parent.plan(*given) == []


def test_a_cache_is_shared_between_studies(tmp_path):
    """A second study takes data, weights and features from the cache; another resolution of the features does not."""
    env = {"SNAKEMAKE_OUTPUT_CACHE": str(tmp_path / "cache")}
    (tmp_path / "cache").mkdir()
    config = tiny()
    config["datasets"] = {"digits": config["datasets"]["digits"]}
    config["strategies"] = {"linear_probe": {"kind": "linear_probe"}}
    config["exclude"] = [{"backbone": "small"}]
    first, second = (Clone.of_repository(tmp_path / name, config | {"study": name}) for name in ("first", "second"))
    features = "results/{}/features/digits/pretrained/{}.npy"

    def make(clone: Clone) -> set[str]:
        """Make the features with the cache and return the cached rules that ran: those that wrote a log."""
        study = clone.read_config()["study"]
        if not (clone.root / WEIGHTS).exists():
            shutil.copy2(weights, clone.root / WEIGHTS)
        targets = [features.format(study, part) for part in ("train", "test")]
        clone.snakemake(*targets, "--cache", *CACHED, env=env)
        logs = clone.root / "results" / study / "logs"
        return {path.relative_to(logs).parts[0] for path in logs.rglob("*.log") if path.stat().st_size} & set(CACHED)

    weights = tmp_path / WEIGHTS
    write_weights(weights)
    assert make(first) == set(CACHED)
    assert make(second) == set()
    for part in ("train", "test"):
        one, other = ((clone.root / features.format(clone.root.name, part)).read_bytes() for clone in (first, second))
        assert one == other
    entry = second.read_config()
    entry["backbones"]["pretrained"]["image_size"] = 16
    second.write_config(entry)
    shutil.rmtree(second.root / "results/second/features")
    # Weights are checked against the network at its size.
    assert make(second) == {"fetch_weights", "extract_features", "extract_test_features"}


def test_a_damaged_entry_of_the_cache_is_refused_and_made_again(tmp_path):
    """Its reader names the file and the entry; without both, the next start makes them anew, with the same bytes."""
    env = {"SNAKEMAKE_OUTPUT_CACHE": str(tmp_path / "cache")}
    (tmp_path / "cache").mkdir()
    config = tiny()
    config["datasets"] = {"digits": config["datasets"]["digits"]}
    config["strategies"] = {"linear_probe": {"kind": "linear_probe"}, "tutorial": {"kind": "tutorial", "epochs": 1}}
    config["exclude"] = [{"backbone": "small", "strategy": "linear_probe"}]
    clone = Clone.of_repository(tmp_path / "clone", config | {"seeds": [0]})
    write_weights(clone.root / WEIGHTS)
    readers = {  # of what the cache holds: a run that reads it
        "features/digits/pretrained/train.npy": "pretrained/linear_probe",
        "data/digits/images.npy": "small/tutorial",
    }
    runs = [f"results/tiny/runs/digits/{run}/seed0/run.json" for run in readers.values()]
    clone.snakemake(*runs, "--cache", *CACHED, env=env)
    for name, run in zip(readers, runs):
        made, entry = clone.path(name), clone.path(name).resolve()
        assert made.is_symlink() and entry.is_relative_to(tmp_path / "cache")
        content = entry.read_bytes()
        changed = bytearray(content)
        changed[len(content) // 2] ^= 1
        entry.chmod(0o644)
        entry.write_bytes(changed)
        (clone.root / run).unlink()
        printed = clone.snakemake(run, "--cache", *CACHED, env=env, fails=True)
        named = re.search(
            r"(results/\S+) is damaged: .*; delete it and its entry in the cache, (\S+), and start", printed
        )
        assert named.groups() == (str(made.relative_to(clone.root)), str(entry))
        for path in named.groups():
            (clone.root / Path(path)).unlink()
        clone.snakemake(run, "--cache", *CACHED, env=env)
        assert made.read_bytes() == content
