"""Runs of all folds as one: answers in the order of the whole set, costs summed, choices kept; against examples made by hand."""

import numpy as np
import pandas as pd
import pytest

from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json, write_npz
from ftbench.base.logits import load_folds, load_logits
from ftbench.evaluate.answers import Answers
from ftbench.evaluate.calibration import fit_temperature
from ftbench.evaluate.folds.logits import pool_corrupted, pool_test, pool_validation
from ftbench.evaluate.folds.runs import most_frequent, pool_run, pooled_cost
from ftbench.evaluate.folds.selection import pool_selection
from ftbench.report.result.folds_table import folds_table, nested_accuracy

FOLD = np.array([1, 2, 1, 2, 2])
LABELS = np.array([0, 1, 1, 0, 1])


@pytest.fixture
def split(tmp_path):
    write_npz(tmp_path / "split.npz", fold=FOLD, labels=LABELS, digest=np.str_("d" * 64))
    return str(tmp_path / "split.npz")


def logits_of(tmp_path, name: str, rows, labels, ids) -> str:
    path = tmp_path / f"{name}.npz"
    values = np.array([[row, -row] for row in rows], np.float32)
    write_npz(path, logits=values, labels=np.array(labels), ids=np.array(ids))
    return str(path)


@pytest.fixture
def tested(tmp_path):
    """Fold 1 tests rows 0 and 2, fold 2 rows 1, 3 and 4; each logit is 10 × the row that it answers."""
    return [logits_of(tmp_path, "one", [0, 20], [0, 1], [0, 1]), logits_of(tmp_path, "two", [10, 30, 40], [1, 0, 1], [0, 1, 2])]  # fmt: skip


def test_answers_stand_in_the_order_of_the_whole_set(tmp_path, split, tested):
    pool_test(tested, split, tmp_path / "all.npz")
    logits, labels, ids = load_logits(tmp_path / "all.npz")
    assert logits[:, 0].tolist() == [0, 10, 20, 30, 40] and np.array_equal(labels, LABELS)
    assert ids.tolist() == [0, 1, 2, 3, 4] and np.array_equal(load_folds(tmp_path / "all.npz"), FOLD)
    assert load_folds(tested[0]) is None


def test_a_fold_that_answered_other_images_is_refused(tmp_path, split, tested):
    with pytest.raises(InputError, match="was predicted on other images than those that fold 1 tests"):
        pool_test(tested[::-1], split, tmp_path / "all.npz")


def test_validation_images_keep_their_rows_and_their_fold(tmp_path, split):
    """Beside fold 1 lie rows 1, 3, 4, beside fold 2 rows 0 and 2."""
    paths = [logits_of(tmp_path, "a", [1, 2], [0, 1], [1, 2]), logits_of(tmp_path, "b", [3], [0], [0])]
    pool_validation(paths, split, tmp_path / "val.npz")
    _, labels, ids = load_logits(tmp_path / "val.npz")
    assert ids.tolist() == [3, 4, 0] and labels.tolist() == [0, 1, 0]
    assert load_folds(tmp_path / "val.npz").tolist() == [1, 1, 2]


def test_corrupted_images_of_all_folds_are_in_the_order_of_their_rows(tmp_path, split):
    for name, ids in (("a", [1]), ("b", [0, 2])):  # rows 2, and 1 and 4
        logits = np.full((1, 1, len(ids), 2), float(len(ids)), np.float16)
        write_npz(tmp_path / f"{name}.npz", logits=logits, kinds=np.array(["fog"]), severities=np.array([3]), labels=np.ones(len(ids), int), ids=np.array(ids))  # fmt: skip
    pool_corrupted([str(tmp_path / "a.npz"), str(tmp_path / "b.npz")], split, tmp_path / "all.npz")
    with np.load(tmp_path / "all.npz") as saved:
        assert saved["ids"].tolist() == [1, 2, 4] and saved["logits"][0, 0, :, 0].tolist() == [2, 1, 2]


def record(fold: int, rate: float, accuracy: float, **changes) -> dict:
    return {
        "dataset": f"photos-fold{fold}", "backbone": "net", "strategy": "finetune", "kind": "finetune", "status": "finished", "diverged": None,
        "best_epoch": 2 * fold, "epochs": 4, "images_seen": 10, "validation_accuracy": accuracy, "validation_balanced_accuracy": accuracy,
        "validation_nll": 1.0, "recipe": {"learning_rate": rate, "augmentation": "none"}, "total_params": 7, "seed": 3, "stochastic": True,
        "digests": {"weights": "w", "model": f"m{fold}"}, "identity": f"i{fold}",
    } | changes  # fmt: skip


COST = {"train_seconds": 2.0, "feature_seconds": 1.0, "resumes": 1, "peak_memory_mb": 5.0, "images_per_second": 4.0, "checkpoint_bytes": 8, "probe": None}  # fmt: skip


def pooled(tmp_path, split, tested, records) -> dict:
    inputs = {"run": [], "cost": [], "history": [], "val_logits": [], "test_logits": tested, "split": split}
    for number, one in enumerate(records, start=1):
        write_json(tmp_path / f"run{number}.json", one)
        write_json(tmp_path / f"cost{number}.json", COST | {"peak_memory_mb": 5.0 * number})
        losses = {
            "epoch": range(1, number + 2),
            "train_loss": [1.0 * number] * (number + 1),
            "group_learning_rates": "0.1",
        }
        pd.DataFrame(losses).to_csv(tmp_path / f"history{number}.csv", index=False)
        inputs["val_logits"].append(logits_of(tmp_path, f"val{number}", [1], [0], [0]))
        for name, suffix in (("run", "json"), ("cost", "json"), ("history", "csv")):
            inputs[name].append(str(tmp_path / f"{name}{number}.{suffix}"))
    names = {"run": "run.json", "cost": "cost.json", "history": "history.csv", "val_logits": "val.npz", "test_logits": "test.npz"}  # fmt: skip
    labels = {"dataset": "photos", "backbone": "net", "strategy": "finetune"}
    pool_run(inputs, labels, "c" * 64, **{name: str(tmp_path / f"all_{file}") for name, file in names.items()})
    return {name: tmp_path / f"all_{file}" for name, file in names.items()}


def test_a_pooled_run_is_as_any_run_with_the_costs_of_all_folds(tmp_path, split, tested):
    files = pooled(tmp_path, split, tested, [record(1, 0.1, 0.5), record(2, 0.01, 0.7)])
    run, cost = read_json(files["run"]), read_json(files["cost"])
    assert (run["dataset"], run["status"], run["seed"], run["epochs"], run["images_seen"]) == (
        "photos",
        "finished",
        3,
        4,
        20,
    )
    assert run["validation_accuracy"] == pytest.approx(0.6) and run["recipe"]["learning_rate"] == 0.01
    assert [fold["recipe"]["learning_rate"] for fold in run["folds"]] == [0.1, 0.01]
    assert [one["epochs"] for one in run["members"]] == [4, 4] and run["digests"]["model"] is None
    assert (cost["train_seconds"], cost["feature_seconds"], cost["resumes"]) == (4.0, 2.0, 2)
    assert (cost["peak_memory_mb"], cost["checkpoint_bytes"], cost["images_per_second"]) == (10.0, 8, 4.0)
    history = pd.read_csv(files["history"])
    assert history["train_loss"].tolist() == [1.5, 1.5, 2.0] and history.columns.tolist() == ["epoch", "train_loss", "group_learning_rates"]  # fmt: skip


def test_a_run_of_which_a_fold_diverged_has_diverged(tmp_path, split, tested):
    lost = record(2, 0.1, None, status="diverged", diverged={"epoch": 1, "step": 2}, best_epoch=None)
    run = read_json(pooled(tmp_path, split, tested, [record(1, 0.1, 0.5), lost])["run"])
    assert run["status"] == "diverged" and run["diverged"]["step"] == 2 and run["validation_accuracy"] is None


def test_probes_and_members_are_summed_too():
    probe = {"cost": COST, "tuning_seconds": 3.0}
    cost = pooled_cost([COST | {"probe": probe, "used": {"train_seconds": 1.0}}] * 3)
    assert cost["probe"]["tuning_seconds"] == 9.0 and cost["probe"]["cost"]["train_seconds"] == 6.0
    assert cost["used"] == {"train_seconds": 3.0}


def test_the_choice_of_all_folds(tmp_path):
    def choice(chosen, scores, edge):
        trials = [{"trial": number, "learning_rate": rate, "status": "finished", "validation_accuracy": score} for number, (rate, score) in enumerate(scores.items())]  # fmt: skip
        return {"status": "finished", "diverged": None, "tuned": True, "parameter": "learning_rate", "chosen": chosen, "trial": 0, "at_grid_edge": edge, "trials": trials, "recipe": {}, "tuning_seconds": 2.0}  # fmt: skip

    found = [choice(0.1, {0.1: 0.8, 0.3: 0.6}, False), choice(0.3, {0.1: 0.6, 0.3: 0.7}, True)]
    for number, one in enumerate(found):
        write_json(tmp_path / f"{number}.json", one)
    pool_selection([str(tmp_path / f"{number}.json") for number in range(2)], tmp_path / "all.json")
    pooled = read_json(tmp_path / "all.json")
    assert (pooled["chosen"], pooled["chosen_in_folds"], pooled["trial"]) == (0.1, [0.1, 0.3], 0)
    assert [trial["validation_accuracy"] for trial in pooled["trials"]] == pytest.approx([0.7, 0.65])
    assert pooled["at_grid_edge"] is True and pooled["tuning_seconds"] == 4.0 and len(pooled["member_trials"]) == 4
    assert most_frequent([0.3, 0.1, 0.3]) == 0.3 and most_frequent(["b", "a"]) == "b"


def test_each_fold_has_the_temperature_of_its_own_validation_images():
    random = np.random.default_rng(0)
    logits, labels = random.normal(0, 3, (60, 3)), random.integers(0, 3, 60)
    fold = np.repeat([1, 2], 30)
    validation = (random.normal(0, [[1.0]] * 20 + [[9.0]] * 20, (40, 3)), random.integers(0, 3, 40))
    of_validation = np.repeat([1, 2], 20)
    answers = Answers(logits, labels, validation, folds=(fold, of_validation))
    for number in (1, 2):
        own = fit_temperature(*(part[of_validation == number] for part in validation))
        alone = Answers(logits[fold == number], labels[fold == number], tuple(part[of_validation == number] for part in validation))  # fmt: skip
        assert alone.temperature == own
        assert np.array_equal(answers.scaled[fold == number], alone.scaled)


def test_the_table_of_folds_against_an_example_by_hand(tmp_path, split, tested):
    """Of fold 1 the first image is right by a tie, the second wrong; of fold 2 row 3 is right alone."""
    files = pooled(tmp_path, split, tested, [record(1, 0.1, 0.5), record(2, 0.01, 0.7)])
    labels = {"dataset": "photos", "backbone": "net", "strategy": "finetune", "seed": 3}
    folds_table([{"labels": labels, "run": str(files["run"]), "test_logits": files["test_logits"]}], tmp_path / "t.csv")
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["fold"].tolist() == [1, 2] and table["images"].tolist() == [2, 3]
    assert table["accuracy"].tolist() == pytest.approx([0.5, 1 / 3]) and table["seeds"].tolist() == [1, 1]
    assert table["chosen"].tolist() == ["learning_rate 0.1", "learning_rate 0.01"]


def test_every_fold_may_choose_its_cell_by_its_own_validation_images():
    """Fold 1 of 2 images chooses a, fold 2 of 6 chooses b: (2 × 0.5 + 6 × 0.9) / 8."""
    cells = {
        "dataset": "d",
        "backbone": "n",
        "strategy": ["a", "a", "b", "b"],
        "fold": [1, 2, 1, 2],
        "images": [2, 6] * 2,
    }
    frame = pd.DataFrame(cells | {"accuracy": [0.5, 0.7, 0.6, 0.9], "validation_score": [0.8, 0.6, 0.7, 0.65]})
    assert nested_accuracy(frame) == pytest.approx(0.8)
    frame.loc[frame["fold"] == 2, "accuracy"] = None
    assert nested_accuracy(frame) is None
