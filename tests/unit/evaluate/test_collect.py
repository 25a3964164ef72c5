import numpy as np
import pandas as pd
import pytest
from unit.synthetic import evaluate_study, write_study

from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.compare.comparison import compare
from ftbench.evaluate.cells import recommended_cell
from ftbench.evaluate.charges import charge, study_total
from ftbench.evaluate.collect import collect
from ftbench.evaluate.runs_csv import read_runs


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = tmp_path_factory.mktemp("study")
    study = write_study(root, datasets=("shapes", "zeta"))
    return study, evaluate_study(study, root / "tables")


def test_one_row_per_run_in_order(study):
    study, paths = study
    frame = read_runs(paths["runs"])
    labels = [tuple(entry["labels"].values()) for entry in study["runs"]]
    assert list(frame[["dataset", "backbone", "strategy", "seed"]].itertuples(index=False, name=None)) == labels
    diverged = frame[frame["status"] == "diverged"]
    assert len(diverged) == 4  # one seed, and one cell of three
    assert diverged["accuracy"].isna().all()
    assert frame.loc[frame["status"] == "finished", "accuracy"].notna().all()
    assert frame["l2"].notna().equals(frame["strategy"] == "linear_probe")


def test_lp_ft_pays_for_its_probe_and_the_features_once(study):
    frame = read_runs(study[1]["runs"])
    own = frame[frame["strategy"] == "lp_ft"].iloc[0]
    assert own["train_seconds"] == pytest.approx(own["loop_seconds"] + 12.0 + 0.7)
    assert own["tuning_seconds"] == pytest.approx(own["own_tuning_seconds"] + 4.0)
    probe = {"cost": {"train_seconds": 1.0, "feature_seconds": 5.0}, "tuning_seconds": 2.0}
    charged = charge({"train_seconds": 10.0, "feature_seconds": 0.0, "probe": probe}, 30.0)
    assert (charged["train_seconds"], charged["tuning_seconds"]) == (16.0, 32.0)


def test_the_study_pays_for_shared_features_once(study):
    frame = read_runs(study[1]["runs"])
    total = study_total(frame)
    assert total["feature_seconds"] == 2 * 2 * 12.0  # data sets x backbones
    assert total["loop_seconds"] == pytest.approx(frame["loop_seconds"].sum())
    tuning = {}
    for entry in study[0]["selected"]:
        content = read_json(entry["selected"])
        tuning[tuple(entry["labels"].values())] = content["tuning_seconds"]
    assert total["tuning_seconds"] == pytest.approx(sum(tuning.values()))


def test_cached_views_are_charged_in_full_to_each_cell_and_once_to_the_study(study):
    """Two cells on one data set and backbone read the same views, a third reads others, and a fourth is made of the first one's runs."""
    views = [{"view_seconds": 3.0}, {"view_seconds": 3.0}, {"view_seconds": 4.0}, {"used": {"train_seconds": 1.0, "feature_seconds": 12.0, "view_seconds": 3.0, "tuning_seconds": 0.0}}]  # fmt: skip
    charged = [charge({"train_seconds": 10.0, "feature_seconds": 0.0, "probe": None} | more, 0.0) for more in views]
    assert [one["train_seconds"] for one in charged] == [13.0, 13.0, 14.0, 10.0 + 1.0 + 12.0 + 3.0]
    frame = read_runs(study[1]["runs"])
    place = frame.iloc[:1].loc[:, ["dataset", "backbone"]].iloc[0].to_dict()
    rows = frame.iloc[[0] * len(views)].assign(
        **place, strategy=["a", "b", "c", "made"], probe=None, loop_seconds=0.0, own_tuning_seconds=0.0
    )
    rows = rows.assign(**{name: [one[name] for one in charged] for name in ("feature_seconds", "view_seconds")})
    assert study_total(rows)["feature_seconds"] == 12.0 + 3.0 + 4.0


def test_a_probe_that_no_row_shows_is_paid_once(study, tmp_path):
    """`exclude` can keep the probe that two strategies start from out of the table: the study ran it all the same."""
    full = read_runs(study[1]["runs"])
    hidden = full[full["strategy"] != "linear_probe"]
    again = hidden[hidden["strategy"] == "lp_ft"].assign(
        strategy="lp_ft_long", loop_seconds=0.0, own_tuning_seconds=0.0
    )
    again["tuning_seconds"] = 4.0  # the probe's
    for frame in (hidden, pd.concat([hidden, again])):
        assert study_total(frame) == pytest.approx(study_total(full))


def test_trials_that_every_seed_has_of_its_own_are_all_paid(study):
    shared = read_runs(study[1]["runs"])
    own = shared.assign(own_tuning_seconds=shared["own_tuning_seconds"] + shared["seed"] / 100)
    assert study_total(own)["tuning_seconds"] == pytest.approx(own["own_tuning_seconds"].sum())


def test_labels_that_disagree_with_the_run_are_refused(study, tmp_path):
    entry = dict(study[0]["runs"][0])
    entry["labels"] = {**entry["labels"], "strategy": "other"}
    with pytest.raises(InputError, match="other"):
        collect([entry], {}, tmp_path / "runs.csv")
    with pytest.raises(InputError, match="no runs"):
        collect([], {}, tmp_path / "runs.csv")


def test_families_of_pairs(study):
    pairs = pd.read_csv(study[1]["pairwise"])
    cells = pd.read_csv(study[1]["cells"])
    strategies = pairs[pairs["family"] == "strategies"]
    assert (strategies["backbone_a"] == strategies["backbone_b"]).all()
    # shapes: 6 pairs on lite0 and 3 on res_18, where one cell diverged; zeta: 6 and 6.
    assert strategies.groupby("dataset").size().to_dict() == {"shapes": 9, "zeta": 12}
    against = pairs[pairs["family"] == "recommended"]
    for dataset, own in against.groupby("dataset"):
        best = cells[(cells["dataset"] == dataset) & cells["recommended"]]
        assert len(best) == 1
        assert set(own["strategy_b"]) == set(best["strategy"])
        assert len(own) == (cells["dataset"] == dataset).sum() - 1 - (dataset == "shapes")
    assert (pairs["p_holm"] >= pairs["p"] - 1e-15).all()
    assert ((pairs["ci_low"] <= pairs["difference"]) & (pairs["difference"] <= pairs["ci_high"])).all()
    assert (pairs["mcnemar_p_lowest"] <= pairs["mcnemar_p_median"]).all()


def test_recommendation_looks_at_validation_only():
    def cell(validation, nll=0.5, diverged=0):
        return {"validation": validation, "nll": nll, "diverged": diverged}

    assert recommended_cell({"a": cell(0.9), "b": cell(0.95), "c": cell(None, None, 3)}) == "b"
    assert recommended_cell({"a": cell(0.9, 0.4), "b": cell(0.9, 0.3)}) == "b"
    assert recommended_cell({"a": cell(0.9), "b": cell(0.9)}) == "a"
    assert recommended_cell({"a": cell(0.9), "b": cell(0.99, diverged=1)}) == "a"
    assert recommended_cell({"a": cell(None, None, 1)}) is None


def outs(folder):
    return [folder / f"{name}.csv" for name in ("cells", "pairwise", "differences", "classes")]


def test_other_test_images_are_refused(study, tmp_path):
    entries = [dict(entry) for entry in study[0]["runs"][:2]]
    saved = dict(np.load(entries[1]["test_logits"]))
    saved["ids"] = saved["ids"][::-1]
    np.savez(tmp_path / "moved.npz", **saved)
    entries[1]["test_logits"] = str(tmp_path / "moved.npz")
    with pytest.raises(InputError, match="other test images"):
        compare(entries, "accuracy", *outs(tmp_path))
    with pytest.raises(InputError, match="selection_metric"):
        compare(entries, "f1", *outs(tmp_path))


def test_one_cell_has_no_pairs_but_a_table_with_its_columns(study, tmp_path):
    compare(study[0]["runs"][:1], "accuracy", *outs(tmp_path))
    for name in ("pairwise", "differences"):
        assert pd.read_csv(tmp_path / f"{name}.csv").empty
        assert {"p", "detectable"} <= set(pd.read_csv(tmp_path / f"{name}.csv").columns)


def test_every_pair_of_a_data_set_has_its_difference_and_the_families_repeat_it(study):
    differences = pd.read_csv(study[1]["differences"])
    assert differences.groupby("dataset").size().to_dict() == {"shapes": 7 * 6 // 2, "zeta": 8 * 7 // 2}
    key = ["dataset", "backbone_a", "strategy_a", "backbone_b", "strategy_b"]
    both = (
        pd.read_csv(study[1]["pairwise"])
        .query("family == 'strategies'")
        .merge(differences, on=key, suffixes=("", "_all"))
    )
    assert len(both) == 21
    for name in ("difference", "ci_low", "p", "detectable", "effect_size"):
        assert np.allclose(both[name], both[f"{name}_all"])


def test_class_intervals_are_those_of_the_class_alone(study):
    classes = pd.read_csv(study[1]["classes"])
    per_class = pd.read_csv(study[1]["per_class"])
    assert len(classes) == len(per_class) == 4 * 15
    wide = (classes["recall_ci_high"] - classes["recall_ci_low"]).mean()
    cells = pd.read_csv(study[1]["cells"])
    assert wide > 1.4 * (cells["accuracy_ci_high"] - cells["accuracy_ci_low"]).mean()  # a quarter of the images
