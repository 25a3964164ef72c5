"""Lists of files and of labels: what they name is the grid, each thing once, and files and labels keep one order."""

import pytest
from test_settings import CELLS, STUDY, study

from ftbench.study import config, grid, inputs, report_files, trials

FULL = {(run["dataset"], run["backbone"], run["strategy"], run["seed"]) for run in inputs.runs(STUDY, CELLS)}


def keys(labels: list[dict]) -> list[tuple]:
    return [tuple(run.values()) for run in labels]


def test_runs_are_the_cells_times_their_seeds_in_order():
    runs = inputs.runs(STUDY, CELLS)
    assert len(FULL) == len(runs) == sum(len(grid.seeds_of(STUDY, cell.strategy)) for cell in CELLS)
    cells = [grid.Cell(*key[:3]) for key in keys(runs)]
    assert list(dict.fromkeys(cells)) == CELLS
    assert {key[3] for key in keys(runs) if key[2] in ("probe", "neighbours")} == {0}
    assert {key[3] for key in keys(runs) if key[2] == "tutorial"} == set(STUDY["seeds"])


@pytest.mark.parametrize(
    "labels",
    [inputs.runs(STUDY, CELLS), inputs.corrupted_runs(STUDY, CELLS)],
)
def test_files_stand_in_the_order_of_their_labels_each_once(labels):
    files = inputs.run_files("run.json", labels)
    assert labels and len(set(files)) == len(files) == len(labels)
    for run, path in zip(labels, files):
        assert path == "<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/run.json".format(**run)
    assert set(keys(labels)) <= FULL


def test_an_audit_judges_by_the_features_that_are_read_anyway_else_by_the_first_pretrained_backbones():
    assert inputs.judges(STUDY, CELLS) == ["net"]
    assert inputs.feature_files(STUDY, CELLS, "train.npy") == ["<results>/features/{dataset}/net/train.npy"]
    assert inputs.judges(STUDY, [cell for cell in CELLS if cell.strategy.startswith("finetune")]) == ["net"]
    assert inputs.judges(STUDY, [cell for cell in CELLS if cell.backbone == "plain"]) == []


def test_the_seed_files_of_a_cell_with_its_labels_are_the_runs():
    named = {
        path.format(**cell._asdict())
        for cell in CELLS
        for path in inputs.seed_files("run.json", grid.seeds_of(STUDY, cell.strategy))
    }
    assert named == set(inputs.run_files("run.json", inputs.runs(STUDY, CELLS)))


def test_engines_share_out_the_strategies():
    loop, features = inputs.strategies(STUDY, "loop"), inputs.strategies(STUDY, "features")
    assert features == ["probe", "neighbours"] and set(loop) == set(STUDY["strategies"]) - set(features)


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_corrupted_images_are_seen_by_the_first_seeds(seeds):
    given = study(corruptions={"enabled": True, "seeds": seeds})
    for run in inputs.runs(given, CELLS):
        assert (run in inputs.corrupted_runs(given, CELLS)) == (run["seed"] in STUDY["seeds"][:seeds])


def test_places_are_each_once_and_pretrained_ones_have_weights():
    places = inputs.places(CELLS)
    assert len(places) == 4 and all(list(place) == ["dataset", "backbone"] for place in places)
    pretrained = inputs.pretrained(STUDY, CELLS)
    assert {cell.backbone for cell in pretrained} == {"net"} and "scratch" not in {cell.strategy for cell in pretrained}
    fine_tuned = inputs.fine_tuned(STUDY, CELLS)
    assert set(pretrained) - set(fine_tuned) == {
        cell for cell in pretrained if cell.strategy in ("probe", "neighbours")
    }


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_a_run_starts_from_weights_or_from_the_data_sets_statistics_never_both(cell):
    files = inputs.start_files(STUDY, cell)
    assert bool(files["weights"]) == bool(files["record"]) == (not files["normalization"])
    assert bool(files["probe_model"]) == bool(files["probe_cost"]) == (cell.strategy == "lp_ft")
    assert "promoted" not in files
    if files["probe_model"]:
        of_probe = "<results>/runs/{dataset}/{backbone}/probe/<fitted>"  # seed0, or the seed of the same split
        assert files["probe_model"] == f"{of_probe}/model.safetensors"


def test_a_trial_above_the_first_rung_waits_for_its_promotion():
    cell = grid.Cell("cifar", "net", "lp_ft")
    for trial in trials.trials(STUDY, cell.strategy):
        promoted = inputs.start_files(STUDY, cell, trial)["promoted"]
        assert promoted == (
            f"<results>/tuning/{{dataset}}/{{backbone}}/{{strategy}}<of_seed>/rung{trial.rung}.json"
            if trial.rung
            else []
        )


def test_a_promotion_reads_the_rung_below_and_the_choice_reads_every_trial():
    given = trials.trials(STUDY, "scratch")
    below = inputs.trial_files(given, 1)
    assert len(below) == 4 and all("rung0" in path for path in below)
    assert len(inputs.trial_files(given)) == len(given) == 6


def test_weights_come_from_where_the_config_says():
    assert inputs.weights_file(STUDY, "net", ".json") == "<resources>/weights/torchvision/resnet18.X.json"
    assert inputs.weights_file(STUDY, "plain", ".json") == []
    assert inputs.weights_records(STUDY, CELLS) == ["<resources>/weights/torchvision/resnet18.X.json"]
    model = "model.safetensors"
    assert inputs.weights_origin(STUDY, "file:a/b.pt", model) == "a/b.pt"
    assert inputs.weights_origin(STUDY, "file:a/b.pt", "run.json") == []
    assert inputs.weights_origin(STUDY, "IMAGENET1K_V1", model) == []
    for seed in ("2", "seed2"):
        ours, others = (inputs.weights_origin(STUDY, f"run:{owner}/d/b/t/{seed}", model) for owner in ("s", "other"))
        assert ours == f"<results>/runs/d/b/t/seed2/{model}" and others == f"<studies>/other/runs/d/b/t/seed2/{model}"


def test_a_download_is_named_once_and_only_for_published_sets():
    assert inputs.downloads(STUDY, ["digits"]) == []
    assert inputs.downloads(STUDY, ["cifar", "digits", "cifar"]) == [
        "<resources>/datasets/torchvision/CIFAR10/files.json"
    ]


def test_policies_and_activations_are_asked_about_if_the_config_names_several():
    assert inputs.axes(STUDY, CELLS) == ["policies", "activations"]
    families = inputs.families(STUDY, ["digits", "cifar"])
    assert list(families) == ["finetune-crop_flip", "finetune-trivial_augment"]
    assert families["finetune-crop_flip"] == ["finetune", {"digits": "crop", "cifar": "crop_flip"}]
    counted = inputs.silent_unit_cells(STUDY, CELLS)
    assert {entry["labels"]["backbone"] for entry in counted} == {"plain"} and {
        entry["activation"] for entry in counted
    } == {"relu"}
    assert len(inputs.silent_unit_files(STUDY, CELLS)) == len(counted) == 4


def bare(**changes) -> dict:
    return config.resolve(
        {
            "study": "b",
            "seeds": [0],
            "datasets": {"digits": {"source": "digits"}},
            "backbones": {"plain": {"source": "ftbench", "model": "resnet8", "weights": "none"}},
            "strategies": {"tutorial": {"kind": "tutorial"}},
        }
        | changes
    )


def test_a_study_that_asks_for_less_gets_fewer_tables_and_figures():
    less = bare()
    cells = grid.cells(less)
    rich = study(corruptions={"enabled": True})
    for few, many in ((report_files.tables(less, cells), report_files.tables(rich, CELLS)), (report_files.plots(less, cells), report_files.plots(rich, CELLS))):  # fmt: skip
        assert len(set(few)) == len(few) and len(set(many)) == len(many)
        assert set(few) < {path.replace("cifar", "digits") for path in many}
    extra = ("robustness", "transferability", "policies", "activations")
    assert not any(
        name in path for path in report_files.tables(less, cells) + report_files.plots(less, cells) for name in extra
    )
    assert all(any(name in path for path in report_files.tables(rich, CELLS)) for name in extra)


def test_of_several_limits_the_largest_is_reported_and_all_are_compared():
    entry = {"source": "digits", "train_limit": [None, 4, 16]}
    given = bare(datasets={"first": {"source": "digits"}, "digits": entry})
    cells = grid.cells(given)
    names = [cell.dataset for cell in cells]
    assert inputs.reported(given, names) == ["first", "digits-all"]
    assert [(one["family"], one["dataset"], one["limit"]) for one in inputs.limits(given, names)] == [
        ("digits", "digits-4", 4), ("digits", "digits-16", 16), ("digits", "digits-all", None)]  # fmt: skip
    for name in ("training_size", "label_more"):
        assert f"<results>/tables/{name}.csv" in report_files.tables(given, cells)
    plots = report_files.plots(given, cells)
    assert "<results>/plots/digits.training_size.svg" in plots and "<results>/plots/digits-all.confusion.svg" in plots
    assert not any("digits-4" in path for path in plots)
    assert inputs.limits(given, names[:2]) == []  # an excluded limit leaves one alone


def test_slices_are_shown_where_the_config_names_them():
    given = bare(datasets={"plain": {"source": "digits"}, "digits": {"source": "digits", "slices_table": "README.md"}})
    cells = grid.cells(given)
    assert inputs.sliced(given, ["plain", "digits"]) == ["digits"]
    assert {"<results>/tables/slices.csv", "<results>/tables/slice_gaps.html"} <= set(report_files.tables(given, cells))
    assert [path for path in report_files.plots(given, cells) if "slices" in path] == [
        "<results>/plots/digits.slices.svg"
    ]
    assert not any("slice" in path for path in report_files.tables(bare(), grid.cells(bare())))
