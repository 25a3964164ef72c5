import pytest
import small

from ftbench.base.files import read_json, write_json
from ftbench.train.selection import select_recipe


def select(folder, trials, metric="accuracy", learning_rate=None) -> dict:
    """selected.json of `trials`: (learning rate, accuracy or None where it diverged[, balanced accuracy])."""
    paths = []
    for number, (rate, accuracy, *balanced) in enumerate(trials):
        paths.append(folder / f"trial{number}.json")
        diverged = accuracy is None
        where = {"epoch": number + 1, "step": 2, "learning_rate": rate, "loss": None}
        write_json(
            paths[-1],
            {
                "trial": number,
                "rung": 0,
                "share": 1.0,
                "learning_rate": rate,
                "status": "diverged" if diverged else "finished",
                "diverged": where if diverged else None,
                "validation_accuracy": accuracy,
                "validation_balanced_accuracy": balanced[0] if balanced else accuracy,
                "validation_nll": None if diverged else 1.0,
                "best_epoch": None if diverged else 2,
                "epochs": 3,
                "device_name": "left out of the choice's record",
                "cost": {"train_seconds": 10.0 + number},
            },
        )
    run = small.run("finetune", selection_metric=metric, learning_rate=learning_rate)
    select_recipe(run, list(map(str, paths)), str(folder / "selected.json"), str(folder / "recipe.json"))
    return read_json(folder / "selected.json")


@pytest.mark.parametrize(
    "accuracies, chosen, edge",
    [
        ([0.5, 0.7, 0.6], 0.01, False),
        ([0.7, 0.7, 0.6], 0.001, True),  # a tie: the smaller learning rate
        ([0.6, 0.7, 0.7], 0.01, False),
        ([0.1, 0.2, 0.3], 0.1, True),
        ([None, 0.2, 0.1], 0.01, False),
        ([0.1, 0.2, None], 0.01, False),
        ([None, None, 0.0], 0.1, True),
        ([0.4, None, None], 0.001, True),
    ],
)
def test_the_best_finished_trial_is_chosen(tmp_path, accuracies, chosen, edge):
    selected = select(tmp_path, list(zip([0.001, 0.01, 0.1], accuracies)))
    assert (selected["chosen"], selected["at_grid_edge"]) == (chosen, edge)
    assert (selected["status"], selected["diverged"], selected["tuned"]) == ("finished", None, True)
    assert selected["parameter"] == "learning_rate" and selected["trial"] == [0.001, 0.01, 0.1].index(chosen)
    assert selected["recipe"] == small.RECIPE | {"learning_rate": chosen}
    assert [trial["validation_accuracy"] for trial in selected["trials"]] == accuracies
    assert selected["tuning_seconds"] == 33.0  # the losing trials are paid for too


def test_the_order_of_the_trials_does_not_matter(tmp_path):
    trials = [(0.1, 0.5), (0.001, 0.5), (0.01, 0.5)]
    assert select(tmp_path, trials)["chosen"] == 0.001


def test_the_selection_metric_decides(tmp_path):
    trials = [(0.001, 0.9, 0.1), (0.01, 0.5, 0.5), (0.1, 0.1, 0.9)]
    for metric, chosen in (("accuracy", 0.001), ("balanced_accuracy", 0.1)):
        selected = select(tmp_path, trials, metric)
        assert selected["chosen"] == chosen and selected["selection_metric"] == metric


def test_where_all_trials_diverged_that_is_the_result(tmp_path):
    selected = select(tmp_path, [(0.1, None), (0.01, None), (1.0, None)])
    assert selected["status"] == "diverged"
    assert selected["chosen"] is selected["trial"] is selected["at_grid_edge"] is None
    assert selected["recipe"]["learning_rate"] is None
    assert selected["diverged"] == {"epoch": 2, "step": 2, "learning_rate": 0.01, "loss": None}  # of the smallest rate
    assert selected["tuned"] is True and selected["tuning_seconds"] == 33.0


def test_where_the_smallest_rate_diverged_on_a_longer_rung_alone_that_rung_says_where(tmp_path):
    select(tmp_path, [(0.001, 0.5), (0.01, None)])
    first, second = (tmp_path / f"trial{number}.json" for number in (0, 1))
    where = {"epoch": 5, "step": 1, "learning_rate": 0.001, "loss": None}
    longer = {"rung": 1, "status": "diverged", "diverged": where, "validation_accuracy": None}
    write_json(tmp_path / "longer.json", read_json(first) | longer)
    paths = [str(path) for path in (first, second, tmp_path / "longer.json")]
    select_recipe(small.run("finetune"), paths, str(tmp_path / "selected.json"), str(tmp_path / "recipe.json"))
    recipe = read_json(tmp_path / "recipe.json")
    assert (recipe["status"], recipe["diverged"]) == ("diverged", where)


def test_a_strategy_without_a_grid_runs_at_its_own_rate_and_is_marked_untuned(tmp_path):
    selected = select(tmp_path, [], learning_rate=0.001)
    assert (selected["tuned"], selected["parameter"], selected["trial"], selected["at_grid_edge"]) == (
        False, None, None, None)  # fmt: skip
    assert (selected["status"], selected["chosen"], selected["tuning_seconds"]) == ("finished", 0.001, 0)
    assert selected["recipe"]["learning_rate"] == 0.001 and selected["trials"] == []


def test_a_worse_trial_more_leaves_the_recipe_file_as_it_was(tmp_path):
    trials = [(0.01, 0.5), (0.1, 0.7)]
    folders = [tmp_path / "before", tmp_path / "after"]
    for folder, tried in zip(folders, (trials, [*trials, (1.0, 0.6)])):
        folder.mkdir()
        select(folder, tried)
    before, after = ((folder / "recipe.json").read_bytes() for folder in folders)
    assert before == after and read_json(folders[0] / "recipe.json")["recipe"]["learning_rate"] == 0.1
    assert read_json(folders[0] / "selected.json")["at_grid_edge"] is True
    assert read_json(folders[1] / "selected.json")["at_grid_edge"] is False


def test_a_grid_of_one_has_no_edge(tmp_path):
    assert select(tmp_path, [(0.1, 0.5)])["at_grid_edge"] is None


def test_a_trials_record_holds_what_the_figures_need_and_no_more(tmp_path):
    (trial,) = select(tmp_path, [(0.1, 0.5)])["trials"]
    assert set(trial) == {"trial", "rung", "share", "learning_rate", "status", "diverged", "validation_accuracy",
                          "validation_balanced_accuracy", "validation_nll", "best_epoch", "epochs"}  # fmt: skip
