"""Examples by hand of docs/metrics.md: scores of one run, intervals and tests."""

import numpy as np
import pandas as pd
from unit.by_hand import example

from ftbench.base.files import read_json, write_json, write_npz
from ftbench.compare import comparison as compare
from ftbench.compare.seed_spread import LOG_TAU2, SeedSpread, Seen
from ftbench.compare.stability import rank_stability
from ftbench.compare.statistics import (
    NOTHING,
    Mixture,
    cell_interval,
    difference,
    effect_size,
    error_of_difference,
    holm,
    mcnemar,
    summarize,
    win_tie_loss,
)
from ftbench.data.seen_images import check_seal
from ftbench.data.split import digest_of_split
from ftbench.evaluate import calibration as cal
from ftbench.evaluate import selective
from ftbench.evaluate.metrics import bootstrap_interval, scores
from ftbench.report.classes.per_class_tables import per_class_table
from ftbench.report.result import comparison_table
from ftbench.report.uncertainty import ranks_tables, stability_table
from ftbench.train.given.file import read_predictions

# --- scores of one run -----------------------------------------------------------------------------------------------


def answers(labels, predicted, classes=None) -> dict:
    """Scores of sure answers."""
    return scores(9 * np.eye(classes or max([*labels, *predicted]) + 1, dtype=np.float32)[predicted], np.array(labels))


HALVES = ([0, 1, 2, 2], [0, 1, 2, 0])  # recalls 1, 1, 1/2
QUARTERS = np.log([[3.0, 1.0], [3.0, 1.0]]), np.array([0, 1])  # p = (3/4, 1/4), once right and once wrong
FOUR = np.array([[1.0, 0.0]] * 4, np.float32), np.array([0, 0, 0, 1])
example("accuracy")(lambda: answers(*HALVES)["accuracy"])
example("balanced_accuracy")(lambda: answers(*HALVES)["balanced_accuracy"])
example("macro_precision")(
    lambda: tuple(answers([0, 1], [0, 0])[f"macro_{name}"] for name in ("precision", "recall", "f1"))
)
example("top5_accuracy")(lambda: scores(np.tile(-np.arange(12.0), (4, 1)), np.array([0, 4, 5, 11]))["top5_accuracy"])
RANKED = np.log([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3], [0.8, 0.2]]), np.array([1, 0, 1, 0])
example("auc")(lambda: scores(*RANKED)["auc"])
example("auc_low")(lambda: tuple(scores(*RANKED)[f"auc_{end}"] for end in ("low", "high")))
example("kappa")(lambda: answers([0, 0, 1], [0, 1, 1])["kappa"])
example("untested_classes")(lambda: answers([0, 1], [0, 1], classes=3)["untested_classes"])
example("nll")(lambda: scores(*QUARTERS)["nll"])
example("brier")(lambda: scores(*QUARTERS)["brier"])
example("ece")(lambda: scores(*QUARTERS)["ece"])
example("adaptive_ece")(
    lambda: cal.adaptive_calibration_error(np.array([0.5, 0.6, 0.8, 0.9]), np.array([1, 0, 1, 1]), bins=2)
)
example("temperature")(lambda: cal.fit_temperature(*FOUR))
example("nll_scaled")(lambda: tuple(scores(*FOUR, validation=FOUR)[name] for name in ("nll_scaled", "ece_scaled")))
example("temperature_helps")(lambda: scores(*FOUR, validation=FOUR)["temperature_helps"])
example("aurc")(lambda: selective.area(RISKS))
example("risk_coverage")(lambda: tuple(RISKS))
example("worst_class")(lambda: tuple(answers(*HALVES)[name] for name in ("worst_class", "worst_class_accuracy")))
example("class_gap")(lambda: answers(*HALVES)["class_gap"])
example("confusion")(lambda: answers([0, 0, 1], [0, 1, 1])["confusion"].tolist())
example("accuracy_bootstrap_*")(lambda: [round(end, 9) for end in bootstrap_interval(5, 10)])
example("tta_accuracy")(
    lambda: scores(np.log([[0.6, 0.4]]), np.array([1]), mirrored=np.log([[0.1, 0.9]]))["tta_accuracy"]
)
RISKS = selective.risks(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False]))


@example("reliability")
def _():
    bins = cal.reliability(np.array([0.60, 0.65]), np.array([True, False]))
    return tuple(bins[name][9] for name in ("images", "confidence", "accuracy"))


@example("per_class")
def _():
    found = answers([0, 0, 1], [0, 1, 1])["per_class"]
    return tuple(found[name][0] for name in ("recall", "recall_low", "recall_high"))


@example("images")
def _(tmp_path):
    cell = {"dataset": "d", "backbone": "b", "strategy": "s"}
    pd.DataFrame(columns=compare.CLASS_COLUMNS).to_csv(tmp_path / "classes.csv", index=False)
    runs = []
    for wrong in (2, 4):
        one = {"class": "a", "precision": 1.0, "recall": 0.0, "f1": 0.0, "support": 10}
        path = tmp_path / f"{wrong}.json"
        write_json(path, {"per_class": [one, one | {"class": "b"}], "confusion": [[10 - wrong, wrong], [0, 10]]})
        runs.append({"labels": cell, "metrics": path})
    per_class_table(runs, tmp_path / "classes.csv", [cell], tmp_path / "per_class.csv", tmp_path / "confused.csv")
    found = pd.read_csv(tmp_path / "confused.csv").iloc[0]
    return float(found["images"]), found["share"]


@example("validation_accuracy")
def _(tmp_path):
    runs = []
    for seed, score in enumerate((0.9, 0.8)):
        path = tmp_path / f"{seed}"
        write_json(
            path, {"status": "finished", "stochastic": True, "validation_accuracy": score, "validation_nll": 1.0}
        )
        write_npz(tmp_path / f"{seed}.npz", logits=FOUR[0], labels=FOUR[1], ids=np.arange(4))
        runs.append({"labels": dict.fromkeys(compare.CELL, "x"), "run": path, "test_logits": tmp_path / f"{seed}.npz"})
    outs = [tmp_path / f"{name}.csv" for name in ("cells", "pairwise", "differences", "classes")]
    compare.compare(runs, "accuracy", *outs)
    return pd.read_csv(outs[0])["validation_score"][0]


# --- intervals and tests ---------------------------------------------------------------------------------------------


def first_right(right, images):
    return np.arange(images)[None] < right


def fixed(right, *groups):
    return summarize(np.atleast_2d(right), *groups, stochastic=False)


@example("variance over images")
def _():
    one, other = fixed([1, 1, 1, 0]), fixed([1, 0, 0, 0])
    alone = error_of_difference(one, other, ("a", "b"), NOTHING).variance[0]
    groups = np.array([0, 0, 1, 1])
    return alone, error_of_difference(
        fixed([1, 1, 0, 0], groups), fixed([0] * 4, groups), ("a", "b"), NOTHING
    ).variance[0]


@example("variance over seeds")
def _():
    seen = summarize(np.array([[1, 1, 1, 1], [1, 1, 0, 0]])).seen
    return seen.mean_square, seen.noise, seen.scale


@example("distribution of tau²")
def _():
    spread = SeedSpread({"a": Seen(0.0, 0.0, 0.1, 1)})
    return float(np.sqrt(np.exp(LOG_TAU2[spread.single("a").cumsum().searchsorted(0.5)]))), spread.learnt * 1


@example("difference")
def _():
    found = difference(fixed(np.ones(10_000)), fixed(first_right(9_995, 10_000)), ("a", "b"), NOTHING)
    return tuple(found[name] if name == "p" else 100 * found[name] for name in ("difference", "p", "ci_low", "ci_high"))


@example("p_worse_a")
def _():
    found = difference(fixed(first_right(9_995, 10_000)), fixed(np.ones(10_000)), ("a", "b"), NOTHING, margin=0.001)
    return found["p_worse_a"]


@example("chosen_difference")
def _():
    right, labels = np.array([1, 1, 1, 0]), np.array([0, 0, 0, 1])
    a, b = (fixed(values, None, labels) for values in (right, 0 * right))
    return difference(a, b, ("a", "b"), NOTHING)["difference"]


@example("fixed_variance")
def _():
    half = [1.96 * np.sqrt(1 + 9 / seeds) for seeds in (3, 9)]
    return tuple(half)


@example("accuracy_ci_low")
def _():
    found = cell_interval(fixed(first_right(90, 100)), "a", NOTHING)
    return found["ci_low"], found["ci_high"]


@example("recall_ci_low")
def _():
    labels = np.repeat([0, 1], 20)
    cell = {"labels": labels, "correct": np.hstack([first_right(18, 20), first_right(3, 20)]), "stochastic": False}
    found = compare.Compared({("b", "s"): cell}, None, "accuracy", 0.01).class_rows()["b", "s"][0]
    return found["recall_ci_low"], found["recall_ci_high"]


example("p_holm")(lambda: tuple(holm(np.array([0.01, 0.04, 0.03]))))
example("effect_size")(
    lambda: tuple(effect_size(0.75, 0.5, 0.25, 0.5)[name] for name in ("effect_size", "effect_high"))
)


@example("detectable")
def _():
    normal = Mixture(np.ones(1), np.ones(1), 1e9)
    return normal.quantile(0.05) + normal.quantile(0.4)


@example("seen_test_images")
def _(tmp_path):
    own = tmp_path / "results/new/data/x"
    other = tmp_path / "results/old"
    for folder, files in ((own, {"files.csv": "5", "test_files.csv": "34"}), (other / "data/x", {"files.csv": "123"})):
        folder.mkdir(parents=True)
        for name, contents in files.items():
            rows = [f"{number},{content}.png,{content}" for number, content in enumerate(contents)]
            (folder / name).write_text("\n".join(["id,file,content", *rows]))
        images = len(files["files.csv"])
        np.savez(folder / "split.npz", train=np.arange(images), validation=np.arange(0))
    split = digest_of_split(np.load(other / "data/x/split.npz"))
    run = other / "runs/x/b/s/seed0/run.json"
    run.parent.mkdir(parents=True)
    write_json(run, {"digests": {"split": split, "weights": None}, "network": {"weights": "none"}})
    start = {"backbone": "b", "weights": "run:old/x/b/s/0", "run": run, "seen_test_images": "allow"}
    check_seal([start], own / "test_files.csv", own / "files.csv", own / "split.npz", tmp_path / "seal.json")
    return read_json(tmp_path / "seal.json")["b"]["images"]


@example("top_k")
def _(tmp_path):
    (tmp_path / "timm.csv").write_text("filename,index,prob\na.jpg,1,0.8\n")
    given = {"key": "", "path": tmp_path / "timm.csv", "values": "probabilities", "class_order": None}
    found = read_predictions(given, ["x", "y", "z"])
    return found.top_k, float(np.exp(found.logits[0, 0]))


@example("p_best")
def _():
    one, other = np.ones(100), np.ones(100)
    other[:5] = 0
    return rank_stability({"a": fixed(one), "b": fixed(other)}, NOTHING)["a"]["p_best"]


@example("p_chosen")
def _():
    cells = [{"seeds": seeds, "trials": [], "diverged": 0} for seeds in ([0.9, 0.8], [0.85])]
    return round(stability_table.chosen_again(cells, np.random.default_rng(0))[0], 1)


@example("expected_1")
def _():
    expected = stability_table.expected_best([0.7, 0.9, 0.8])
    return expected[0], expected[2], expected[2] - expected[1]


example("test_groups")(lambda: len(fixed([1, 1, 0, 0], np.array([5, 5, 7, 7])).influence))
example("mcnemar_p_*")(lambda: mcnemar(first_right(8, 10), ~first_right(8, 10))[0])
example("wins")(
    lambda: tuple(win_tie_loss([("a", "b", 0.1, 0.01), ("a", "b", -0.1, 0.01), ("a", "b", 0.1, 0.05)])["a", "b"])
)


@example("detectable_difference")
def _():
    frame = pd.DataFrame(
        {"dataset": "d", "backbone_a": "b", "strategy_a": "s", "backbone_b": "b", "strategy_b": ["x", "y", "z"]}
    )
    return comparison_table.detectable(frame.assign(detectable=[0.02, 0.10, 0.03]), "d", "b", "s").median()


@example("mean_rank")
def _():
    frame = pd.DataFrame(
        {"dataset": "d", "backbone": "b", "strategy": ["x", "y", "z"], "accuracy_mean": [0.9, 0.8, 0.8]}
    )
    return tuple(ranks_tables.rank_cells(frame).mean)
