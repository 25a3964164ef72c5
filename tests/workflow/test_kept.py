"""A job that is refused before it has done any work costs nothing that was there before."""

import json
import os
import time

CELL = "digits/small/scratch"
NORMALIZATION = "data/digits/normalization.json"


def measured(clone) -> dict[str, str]:
    """The files of the cell's runs and trials; cost.json among them tells whether a run was trained again."""
    return {
        name: digest
        for name, digest in clone.contents().items()
        if name.startswith((f"tiny/runs/{CELL}/", f"tiny/tuning/{CELL}/trial")) and not name.endswith(".written.jsonl")
    }


def empty(path) -> None:
    """As after a crash of the machine: the name is there, and newer than all that was made from it."""
    path.write_text("")
    later = time.time() + 2
    os.utime(path, (later, later))


def test_an_emptied_input_costs_no_trained_model(clone):
    """Snakemake deletes the outputs of each job that the emptied file starts. They come back when the file is whole again."""
    before = measured(clone)
    models = [name for name in before if name.endswith("model.safetensors")]
    asked = [f"results/{name}" for name in models]
    assert len(models) == 2
    recipe = clone.path(f"tuning/{CELL}/recipe.json")
    empty(recipe)
    printed = clone.snakemake(*asked, fails=True)
    assert f"results/tiny/tuning/{CELL}/recipe.json is damaged" in printed and "Traceback" not in printed
    assert printed.count("Its earlier outputs are kept in") == 2
    clone.snakemake(*asked, fails=True)  # once more: what was kept stays
    recipe.unlink()
    clone.snakemake(*asked)
    assert measured(clone) == before
    log = clone.path(f"logs/train/{CELL}/seed0.log").read_text()
    assert "this very run was trained before, and its files were kept: they are put back" in log
    assert list(clone.path(f"runs/{CELL}").rglob("*.resume")) == []


def test_trials_come_back_as_well(clone):
    before = measured(clone)
    path = clone.path(NORMALIZATION)
    empty(path)
    trial = clone.path(f"tuning/{CELL}/trial0/trial.json")
    asked = str(trial.relative_to(clone.root))
    clone.snakemake(asked, fails=True)
    assert not trial.exists()
    path.unlink()
    clone.snakemake(asked)
    assert measured(clone)[f"tiny/tuning/{CELL}/trial0/trial.json"] == before[f"tiny/tuning/{CELL}/trial0/trial.json"]
    assert "its file was kept: it is put back" in clone.path(f"logs/train_trial/{CELL}/trial0.log").read_text()


def test_what_is_kept_of_another_recipe_is_not_put_back(clone):
    """A changed setting trains anew, and so does a run that the user forces; nothing kept is left behind."""
    model = clone.path("runs/digits/small/tutorial/seed0/model.safetensors")
    asked = str(model.relative_to(clone.root))
    cost, record = model.with_name("cost.json"), model.with_name("run.json")
    old = json.loads(record.read_text())["identity"], cost.read_text()
    clone.snakemake(asked, "--force")
    assert json.loads(record.read_text())["identity"] == old[0] and cost.read_text() != old[1]
    config = clone.read_config()
    config["strategies"]["tutorial"]["epochs"] = 3
    clone.write_config(config)
    clone.snakemake(asked)
    assert json.loads(record.read_text())["identity"] != old[0]
    assert list(model.parent.rglob("*.resume")) == []
