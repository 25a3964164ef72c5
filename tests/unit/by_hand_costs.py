"""Examples by hand of docs/metrics.md: the recommendation, costs, and what stands beside the scores."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode
from unit.by_hand import example
from unit.synthetic import PROBES, write_study

from ftbench.base.files import write_json, write_npz
from ftbench.compare.crossfit import Run, crossfitted_accuracy
from ftbench.compare.slice_accuracy import gap_rows, slice_rows
from ftbench.data.duplicates.alignment import agreements
from ftbench.evaluate.charges import charge, charge_flops, study_total
from ftbench.evaluate.collect import collect
from ftbench.measure import efficiency, transferability
from ftbench.measure.audit.labels import suspected
from ftbench.model import activations
from ftbench.model.backbones import Backbone
from ftbench.report.cost import cost_table
from ftbench.report.cost.pareto_front import front
from ftbench.report.recommendation.cheapest import seeds_needed
from ftbench.report.recommendation.recommendation_table import recommend_one, recommendation_table, within
from ftbench.report.recommendation.transferability_table import correlation, transferability_table
from ftbench.report.result import comparison_table, policies_table, robustness_tables
from ftbench.report.result.label_more_table import label_more_table
from ftbench.report.result.training_size_table import images_per_class
from ftbench.report.uncertainty import clean_test_table

CELL = {"dataset": "d", "backbone": "b", "strategy": "s"}

# --- recommendation --------------------------------------------------------------------------------------------------

CELLS = pd.DataFrame(
    [("x", 0.90, 0.80, 9.0), ("y", 0.95, 0.85, 5.0), ("z", 0.80, 0.86, 1.0)],
    columns=["strategy", "validation_score", "accuracy_mean", "minutes"],
).assign(
    backbone="b",
    validation_nll=1.0,
    diverged_seeds=0,
    total_params=1,
    latency_ms_batch1=1.0,
    operations=1.0,
    device_name="",
    threads="",
)
for column in ("test_score", "accuracy_ci_low", "accuracy_ci_high"):
    CELLS[column] = CELLS["accuracy_mean"]
KEYS = pd.MultiIndex.from_tuples([("b", "x", "b", "y"), ("b", "x", "b", "z"), ("b", "y", "b", "z")])
COLUMNS = [f"chosen_{name}" for name in ("difference", "ci_low", "ci_high", "p", "p_worse_a", "p_worse_b")]
PAIRS = pd.DataFrame(
    [(-0.05, -0.08, -0.02, 0.01, 0.99, 0.0), (-0.06, -0.1, -0.02, 0.01, 0.99, 0.0), (-0.01, -0.025, 0.005, 0.2, 0.5, 0.004)],
    columns=COLUMNS, index=KEYS,
).assign(fixed_variance=0.0, variance_per_seed=1e-4)  # fmt: skip
RUNS = {
    ("b", "x"): {"stochastic": True, "diverged": 0, "runs": {0: Run(0.9, 1.0, 0.7), 1: Run(0.8, 1.0, 0.6)}},
    ("b", "y"): {"stochastic": True, "diverged": 0, "runs": {0: Run(0.8, 1.0, 0.75), 1: Run(0.85, 1.0, 0.65)}},
}


def recommended(*names):
    row = recommend_one(CELLS, PAIRS, {})
    return tuple(row[name] for name in names)


example("best_*")(lambda: recommended("best_strategy", "best_accuracy"))
example("indistinguishable")(lambda: recommended("indistinguishable", "indistinguishable_cells"))
example("cheapest_*")(lambda: recommended("cheapest_strategy", "cheapest_minutes"))
example("cheapest_difference")(
    lambda: recommended("cheapest_difference", "cheapest_difference_low", "cheapest_difference_high")
)
example("best_crossfitted")(lambda: crossfitted_accuracy(RUNS))
example("untested_cells")(lambda: recommended("untested_cells"))
example("cheapest_why")(lambda: recommended("cheapest_why"))
example("seeds_needed")(
    lambda: seeds_needed({"difference": -0.002, "fixed": 0.0, "per_seed": 9e-5, "worse": 0.1}, margin=0.01)
)
example("margin")(lambda: float(recommended("margin")[0]))
example("on_test_*")(lambda: recommended("on_test_strategy", "on_test_accuracy", "on_test_gain"))
example("limit_minutes")(lambda: (*(kept := within(CELLS, {"minutes": 5.0}))["strategy"], len(kept)))


@example("minutes")
def _(tmp_path):
    one = pd.DataFrame([CELL]).assign(
        train_seconds=60.0, tuning_seconds=240.0, accuracy_mean=0.8, balanced_accuracy=0.8, accuracy_ci_low=0.7,
        accuracy_ci_high=0.9, diverged_seeds=0, total_params=1, latency_ms_batch1=1.0, validation_score=0.8, validation_nll=1.0,
        train_flops=1, tuning_flops=1, device_name="CPU", threads="1",
    )  # fmt: skip
    one.drop(columns=["validation_score", "validation_nll"]).to_csv(tmp_path / "comparison.csv", index=False)
    one[[*CELL, "validation_score", "validation_nll"]].to_csv(tmp_path / "cells.csv", index=False)
    PAIRS.iloc[:0].rename_axis(["backbone_a", "strategy_a", "backbone_b", "strategy_b"]).reset_index().assign(
        dataset="d"
    ).to_csv(tmp_path / "differences.csv", index=False)
    runs = pd.DataFrame([CELL]).assign(
        seed=0, status="finished", stochastic=False, validation_accuracy=0.8, accuracy=0.8
    )
    runs.assign(validation_nll=1.0, best_epoch=1, at_grid_edge=False, tuned=True).to_csv(
        tmp_path / "runs.csv", index=False
    )
    paths = [tmp_path / f"{name}.csv" for name in ("comparison", "cells", "differences", "runs", "out")]
    recommendation_table(*paths[:4], {}, "accuracy", 0.01, paths[4])
    return pd.read_csv(paths[4])["best_minutes"][0]


# --- cost ------------------------------------------------------------------------------------------------------------

PROBE = {"cost": {"train_seconds": 1.0, "feature_seconds": 5.0}, "tuning_seconds": 2.0}
LP_FT = charge({"train_seconds": 10.0, "feature_seconds": 0.0, "probe": PROBE}, 30.0)
VIEWS = charge({"train_seconds": 10.0, "feature_seconds": 0.0, "view_seconds": 3.0, "probe": PROBE}, 30.0)
COUNTED = {"steps": [3, 3], "step_flops": [10, 10], "validation_flops": 4, "feature_flops": 0}
RUN = {"images_seen": 6, "epochs": 2, "diverged": None}


def charged(*names):
    return tuple(LP_FT[name] for name in names)


example("loop_seconds")(lambda: charged("loop_seconds", "feature_seconds", "borrowed_seconds"))
example("view_seconds")(lambda: (VIEWS["view_seconds"], VIEWS["feature_seconds"]))
example("train_seconds")(lambda: charged("train_seconds"))
example("tuning_seconds")(lambda: charged("tuning_seconds", "own_tuning_seconds"))
example("front")(lambda: front(np.array([1.0, 2, 3]), np.array([0.7, 0.9, 0.8])))


@example("the study's total")
def _():
    seeds = [CELL | LP_FT | {"probe": "linear_probe", "seed": seed} for seed in (0, 1)]
    return study_total(pd.DataFrame(seeds))["total_seconds"]


@example("step_flops")
def _():
    counted = COUNTED | {"steps": [30, 10], "step_flops": [3, 9]}
    return charge_flops(counted, RUN, {"trials": []})["step_flops"]


@example("train_flops")
def _():
    found = charge_flops(COUNTED, RUN, {"trials": [RUN] * 3})
    return found["train_flops"], found["tuning_flops"]


@example("forward_flops")
def _():
    with FlopCounterMode(display=False) as counter:
        torch.nn.Linear(3, 2)(torch.zeros(1, 3))
    return counter.get_total_flops()


@example("latency_ms_batch1")
def _(monkeypatch):
    clock = iter([0.0, *(time for passed in (0.2, 0.1, 0.3) for time in (0.0, passed))])  # the first one warms up
    monkeypatch.setattr(efficiency, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    data = SimpleNamespace(train=np.arange(3), images=SimpleNamespace(batch=lambda rows: torch.zeros(len(rows), 3)))
    run, cpu = {"precision": "float32"}, torch.device("cpu")
    return efficiency.latency_ms(Bare(torch.nn.Linear(3, 2), "2", 1, [0] * 3, [1] * 3), data, 1, run, cpu)


def cost_rows(tmp_path, **changes):
    """cost.csv of one cell of two seeds, with the given columns of runs.csv changed."""
    study = write_study(tmp_path, images=8, classes=2, backbones=("b",), strategies=("tutorial",), seeds=(0, 1),
                        diverged_cell=False)  # fmt: skip
    for entry in study["runs"]:
        write_json(
            entry["metrics"],
            dict.fromkeys(
                ("status", *comparison_table.EXTRA_COLUMNS, *comparison_table.COMPARISON_COLUMNS, "accuracy", "images")
            ),
        )
    collect(study["runs"], PROBES, tmp_path / "runs.csv")
    runs = pd.read_csv(tmp_path / "runs.csv").assign(**changes)
    runs.to_csv(tmp_path / "runs.csv", index=False)
    cost_table.cost_table(tmp_path / "runs.csv", study["cells"], tmp_path / "cost.csv", watts=100.0)
    return pd.read_csv(tmp_path / "cost.csv").iloc[0]


example("total_seconds")(lambda tmp_path: cost_rows(tmp_path, train_seconds=16.0, tuning_seconds=32.0)["total_seconds"])
example("energy_wh")(lambda tmp_path: cost_rows(tmp_path, train_seconds=40.0, tuning_seconds=32.0)["energy_wh"])


@example("images_per_second")
def _(tmp_path):
    row = cost_rows(tmp_path, images_per_second=[900.0, 1000.0], peak_memory_mb=[700.0, 800.0])
    return row["images_per_second"], row["peak_memory_mb"]


@example("trainable_params")
def _():
    head = torch.nn.Linear(512, 2)
    return sum(p.numel() for p in head.parameters()), sum(tensor.nbytes for tensor in head.state_dict().values())


# --- beside the scores -----------------------------------------------------------------------------------------------


class Bare(Backbone):
    def to_input(self, images):
        return images


def corrupted(tmp_path):
    """The row of robustness.csv of ten images, all right when clean; of the corrupted ones the first few are."""
    labels, right = np.arange(10) % 2, np.array([[0.9, 0.9, 0.9], [0.8, 0.6, 0.4]])
    sure = np.eye(2, dtype=np.float16)
    answers = np.where(np.arange(10) < 10 * right[..., None] - 1e-6, labels, 1 - labels)
    write_json(tmp_path / "run.json", {"status": "finished"})
    write_npz(tmp_path / "clean.npz", logits=sure[labels], labels=labels, ids=np.arange(10))
    write_npz(tmp_path / "bad.npz", logits=sure[answers], labels=labels, ids=np.arange(10),
              kinds=np.array(["fog", "gaussian_noise"]), severities=np.array([1, 3, 5]))  # fmt: skip
    paths = {"run": "run.json", "test_logits": "clean.npz", "corrupted_logits": "bad.npz"}
    entry = {"labels": CELL, **{name: tmp_path / path for name, path in paths.items()}}
    robustness_tables.corruption_tables([entry], [CELL], tmp_path / "detail.csv", tmp_path / "summary.csv")
    return pd.read_csv(tmp_path / "summary.csv").iloc[0]


@example("accuracy_corrupted")
def _(tmp_path):
    row = corrupted(tmp_path)
    return row["accuracy_corrupted"], row["accuracy_weather"], row["worst_corruption"], row["worst_accuracy"]


example("relative_drop")(lambda tmp_path: corrupted(tmp_path)["relative_drop"])


def eight_of_ten():
    labels = np.zeros(10, int)
    return np.eye(2, dtype=np.float32)[(np.arange(10) >= 8).astype(int)], labels, np.arange(10)


@example("without")
def _():
    found = clean_test_table._scores([eight_of_ten()], [8, 9], np.arange(10), False)[0]
    return found["accuracy_mean"], found["accuracy_full"], found["change"]


@example("rank")
def _(tmp_path):
    runs, cells = [], []
    for name, right in (("x", 9), ("y", 8), ("z", 8)):
        cells.append(CELL | {"strategy": name})
        predicted = (np.arange(11) >= right).astype(int)  # the eleventh image is removed
        write_npz(tmp_path / f"{name}.npz", logits=np.eye(2)[predicted], labels=np.zeros(11, int), ids=np.arange(11))
        write_json(tmp_path / f"{name}.json", {"status": "finished", "stochastic": False})
        runs.append({"labels": cells[-1], "run": tmp_path / f"{name}.json", "test_logits": tmp_path / f"{name}.npz"})
    pd.DataFrame({"id": [10], "file": "10", "mark": "m"}).to_csv(tmp_path / "marks.csv", index=False)
    pd.DataFrame({"id": range(11), "file": range(11)}).to_csv(tmp_path / "files.csv", index=False)
    found = {"dataset": "d", "marks": tmp_path / "marks.csv", "files": tmp_path / "files.csv", "exclude": None}
    clean_test_table.clean_test_table(runs, [found], cells, tmp_path / "out.csv")
    return tuple(pd.read_csv(tmp_path / "out.csv")["rank"])


@example("near duplicate")
def _():
    image = np.random.default_rng(0).integers(0, 200, (1, 16, 16, 3)).astype(np.uint8)
    return float(agreements(np.concatenate([image, image + 20]), np.array([[0, 1]]), mirrored=False)[0])


@example("suspected label")
def _():
    given = np.array([0] * 4 + [1] * 5)
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.1, 0.9]] * 4 + [[0.95, 0.05]])
    return tuple(suspected(given, probabilities).tolist())


@example("LogME")
def _():
    return transferability.log_maximum_evidence(np.array([[2.0], [1], [1], [2]]), np.array([0, 0, 1, 1]), 2)


@example("H-score")
def _():
    return transferability.h_score(np.array([[2.0], [2], [-2], [-2]]), np.array([0, 0, 1, 1]), 2)


@example("probe_validation_score")
def _(tmp_path):
    cells = [CELL | {"strategy": name} for name in ("lucky", "chosen")]
    frame = pd.DataFrame(cells).assign(validation_score=[0.6, 0.7], accuracy_mean=[0.99, 0.8], kind="finetune")
    frame.drop(columns="validation_score").to_csv(tmp_path / "comparison.csv", index=False)
    frame.to_csv(tmp_path / "cells.csv", index=False)
    write_json(tmp_path / "scores.json", {"logme": 1.0, "h_score": 1.0, "seconds": 1.0})
    scored = [{"labels": {"dataset": "d", "backbone": "b"}, "scores": tmp_path / "scores.json"}]
    paths = [tmp_path / f"{name}.csv" for name in ("comparison", "cells", "out", "correlations")]
    transferability_table(scored, *paths[:2], cells, "accuracy", *paths[2:])
    return pd.read_csv(paths[2])["fine_tuned_score"][0]


@example("rank correlations")
def _():
    found = correlation(pd.DataFrame({"logme": [1, 2, 4, 3], "fine_tuned_score": [0.80, 0.85, 0.90, 0.95]}), "logme")
    return found["kendall"], found["spearman"]


def silent(name):
    """Of the inputs (1, -1) and (-1, -1) of two units."""
    network = torch.nn.Sequential(torch.nn.Identity(), torch.nn.ReLU())
    return activations.activity(Bare(network, "0", 1, [0] * 3, [1] * 3), [torch.tensor([[1.0, -1], [-1, -1]])])[0][name]


example("dead units")(lambda: silent("dead"))
example("sparsity_before")(lambda: silent("sparsity"))


@example("gain")
def _():
    pair = {"backbone_a": "b", "strategy_a": "first", "backbone_b": "b", "strategy_b": "policy", "family": "strategies"}
    frame = pd.DataFrame(
        [pair | {"dataset": "d", "difference": -0.03, "ci_low": -0.05, "ci_high": -0.01, "p_holm": 0.01}]
    )
    found = policies_table._gain(frame, pd.Series(CELL | {"strategy": "policy"}), "first")
    return found["gain"], found["gain_low"], found["gain_high"]


@example("images_per_class")
def _(tmp_path):
    write_json(tmp_path / "train.json", {"per_class": {"a": 3, "b": 11}})
    return images_per_class({"about": tmp_path / "train.json", "limit": 4})


@example("more_images")
def _(tmp_path):
    write_json(tmp_path / "train.json", {"per_class": {"a": 99}})
    write_npz(tmp_path / "test.npz", logits=np.eye(2, dtype=np.float32), labels=np.zeros(2, int), ids=np.arange(2))
    members = [{"family": "f", "dataset": str(k), "limit": k, "about": tmp_path / "train.json"} for k in (16, 32, 64)]
    run = {"run": {"status": "finished"}, "test_logits": tmp_path / "test.npz"}
    runs = [run | {"labels": CELL | {"dataset": member["dataset"], "strategy": "s"}} for member in members]
    label_more_table(runs, members, tmp_path / "more.csv")
    return pd.read_csv(tmp_path / "more.csv")["more_images"][0]


def _slices(right: list[float], size: int = 10) -> tuple[dict, np.ndarray]:
    """One deterministic cell with these accuracies in slices a, b, ... of `size` images, of classes 0 and 1 in turn."""
    answers = np.concatenate([np.arange(size) < round(share * size) for share in right])
    cell = {"correct": answers[None], "labels": np.arange(len(answers)) % 2, "stochastic": False}
    return {"x": cell}, np.repeat(list("abcd")[: len(right)], size)


@example("expected")
def _():
    cells, values = _slices([0.9, 0.6])
    cells["x"]["labels"] = np.array([0] * 5 + [1] * 5 + [0] * 5 + [1] * 5)
    cells["x"]["correct"] = np.array([[1] * 5 + [1] * 4 + [0] + [1] * 5 + [1] + [0] * 4], bool)
    row = slice_rows(cells, values, np.arange(20))["x"][0]
    return row["expected"], row["rest"], row["difference"]


@example("gap")
def _():
    cells, values = _slices([0.9, 0.6, 0.8])
    return gap_rows(cells, values, np.arange(30))["x"]["gap"]
