"""How often validation would choose each cell again, and what fewer trials would have found."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from ftbench.report.uncertainty import stability_table as table


@pytest.mark.parametrize("scores", [[0.5], [0.3, 0.9, 0.4], [0.7, 0.7, 0.1, 0.0], list(np.linspace(0, 1, 6))])
def test_the_expected_best_is_the_mean_over_all_subsets(scores):
    for n, expected in enumerate(table.expected_best(scores), 1):
        assert expected == pytest.approx(np.mean([max(subset) for subset in itertools.combinations(scores, n)]))


def test_without_trials_nothing_is_expected():
    assert table.expected_best([]) == []


def chosen(trials, parameter="learning_rate", **changes):
    rows = [
        {parameter: value, "rung": rung, "validation_accuracy": score, "validation_balanced_accuracy": score}
        for value, rung, score in trials
    ]
    return {"selection_metric": "accuracy", "parameter": parameter, "tuned": bool(trials), "trials": rows} | changes


def test_of_a_halving_each_value_counts_with_its_last_rung_and_a_diverged_one_as_0():
    found = chosen([(0.1, 1, 0.8), (0.1, 0, 0.5), (0.2, 0, 0.4), (9.0, 0, None)])
    assert sorted(table.trial_scores(found)) == [0, 0.4, 0.8]


def test_of_several_splits_each_value_counts_with_its_mean_score():
    splits = [chosen([(0.1, 0, 0.8), (0.2, 0, 0.4)]), chosen([(0.1, 0, 0.6), (0.2, 0, None)])]
    assert table._mean_scores(splits) == pytest.approx([0.7, 0.2])
    assert table._mean_scores(splits[:1]) == table.trial_scores(splits[0])


def shares(*cells):
    rows = [{"seeds": seeds, "trials": trials, "diverged": diverged} for seeds, trials, diverged in cells]
    return table.chosen_again(rows, np.random.default_rng(0))


def test_a_choice_that_hangs_on_one_lucky_trial_is_unsure():
    firm = shares(([0.9, 0.9], [0.9, 0.89, 0.9], 0), ([0.85, 0.85], [], 0))
    lucky = shares(([0.9, 0.9], [0.9, 0.5, 0.5], 0), ([0.85, 0.85], [], 0))
    assert firm[0] == 1 and 0.65 < lucky[0] < 0.75  # 1 - (2/3)**3
    assert lucky.sum() == pytest.approx(1)


def test_cells_that_lost_seeds_or_never_finished_go_behind():
    found = shares(([0.9], [], 1), ([0.5], [], 0), ([], [0.0, 0.0], 2))
    assert found[:2].tolist() == [0, 1] and np.isnan(found[2])
    assert np.isnan(shares(([], [], 1))).all()


def test_the_table_has_a_row_per_cell_and_pages_show_it(tmp_path):
    cells = pd.DataFrame(
        {
            "dataset": ["d", "d", "e"],
            "backbone": "b",
            "strategy": ["tuned", "plain", "tuned"],
            "accuracy_mean": [0.9, 0.8, None],
            "accuracy_ci_low": [0.85, 0.7, None],
            "accuracy_ci_high": [0.95, 0.9, None],
            "p_best": [0.98, 0.02, None],
            "p_top3": [1.0, 1.0, None],
            "rank_low": [1, 2, None],
            "rank_high": [2, 2, None],
        }
    )
    cells.to_csv(tmp_path / "cells.csv", index=False)
    runs, selected = [], []
    for number, row in enumerate(cells[["dataset", "backbone", "strategy"]].to_dict("records")):
        failed = row["dataset"] == "e"
        trials = (
            [(0.1, 0, None if failed else 0.9), (0.2, 0, None if failed else 0.8)] if row["strategy"] == "tuned" else []
        )
        path = tmp_path / f"selected{number}.json"
        path.write_text(json.dumps(chosen(trials)))
        selected.append({"labels": row, "selected": path})
        run = {"status": "diverged" if failed else "finished", "validation_accuracy": 0.9 if trials else 0.7}
        runs.append({"labels": row | {"seed": 0}, "run": run})
    out = tmp_path / "stability.csv"
    table.stability_table(runs, selected, tmp_path / "cells.csv", "accuracy", out)
    found = pd.read_csv(out)
    assert found["p_chosen"].tolist()[:2] == [1, 0] and found["p_chosen"].isna()[2]
    assert found["trials"].tolist() == [2, 0, 2]
    assert found.loc[0, ["expected_1", "expected_all", "last_gain"]].tolist() == pytest.approx([0.85, 0.9, 0.05])
    assert found.loc[1, ["expected_1", "expected_all", "last_gain"]].isna().all()
    pages = {name: tmp_path / f"stability.{name}" for name in ("html", "markdown", "latex")}
    table.stability_pages(out, pages)
    text = pages["markdown"].read_text()
    assert "| 98.0 |" in text and "| 1 to 2 |" in text and "diverged counts as 0" in text
