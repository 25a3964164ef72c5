"""Every sentence of the summary is a function of the numbers in the tables."""

import pandas as pd
import pytest

from ftbench.report.layout.words import ITSELF, SHOWN, UNKNOWN_COST
from ftbench.report.summary import failings, sentences
from ftbench.report.summary.facts import ABOVE, BELOW, RECOMMENDED, SAME, UNTESTED, Cell, Facts

ROW = {
    "accuracy_mean": 0.9321,
    "accuracy_ci_low": 0.9102,
    "accuracy_ci_high": 0.954,
    "test_images": 1597,
    "stochastic": True,
    "of_recipe": True,
    "seeds": 3,
    "diverged_seeds": 0,
    "train_seconds": 21.0,
    "tuning_seconds": 63.0,
    "total_params": 3_400_000,
    "latency_ms_batch1": 11.26,
    "device_name": "a CPU",
    "threads": "1",
    "at_grid_edge": False,
    "seen_test_images": 0,
}
AUDIT = {
    "test_images": 1597,
    "test_images_with_a_training_duplicate": 0,
    "pairs_inside_test": 1,
    "pairs_inside_training": 1200,
    "labels_judged_by": "a",
    "suspected_labels": {"train": 3, "validation": 2, "test": 1},
}


def cell(name: str, verdict: str, **changes) -> Cell:
    return Cell(name, pd.Series(ROW | changes), verdict, None)


def facts(*cells: Cell, cheapest: str | None = None, **changes) -> Facts:
    best = next((one for one in cells if one.verdict == RECOMMENDED), None)
    who = {"best": best.name if best else "- on -", "cheapest": cheapest or (best.name if best else "- on -")}
    choice = {
        f"{key}_{part}": value
        for key, name in who.items()
        for part, value in zip(("strategy", "backbone"), name.split(" on "))
    }
    choice |= {"cheapest_difference": -0.001, "cheapest_difference_low": -0.006, "cheapest_difference_high": 0.004}
    choice |= {"cheapest_why": SHOWN if cheapest else ITSELF, "margin": 0.01, "best_crossfitted": 0.921}
    choice |= {"best_minutes": 1.4, "cheapest_minutes": 0.2}
    none = pd.DataFrame()
    values = {"clean": none, "mistakes": {"images": 0}, "audit": AUDIT} | changes
    return Facts(
        "d", list(cells), best, pd.Series(choice) if best else None, none, none, none, values["clean"], values["mistakes"],
        values["audit"], "", "",
    )  # fmt: skip


BEST = cell("lp_ft on a", RECOMMENDED)


def test_splits_of_their_own_are_in_the_interval_and_the_sentence_says_so():
    own = facts(BEST)._replace(own_splits=True)
    assert (
        "the luck of 3 training seeds, each with its own validation split and tuning, not that of"
        in sentences.how_good(own).text
    )


def test_three_sentences_say_how_good_at_which_cost_and_what_else():
    found = facts(BEST, cell("finetune on a", SAME), cell("probe on a", BELOW))
    assert sentences.headline(found) == "Use lp_ft on a"
    assert [one.text for one in sentences.answer(found)] == [
        "It is right on 93.2 % of the 1,597 sealed test images, 95 % interval 91.0 to 95.4 %, which covers the choice of test images "
        "and the luck of 3 training seeds, not that of the training images; validation images chose it among 3 cells (a backbone with a strategy).",
        "The same trained networks chose it and are scored here. Chosen on some seeds and scored on the others, what is chosen reaches 92.1 % "
        "on average, whichever cell that is: the fairer figure.",
        "One model takes 21 s to train after 63 s of tuning on a CPU (1 thread); it has 3.4 M parameters and answers one image in "
        "11.3 ms.",
        "These test images do not tell finetune on a from it. The cheapest that is shown to be as good: lp_ft on a, the best itself: no other that finished as many "
        "seeds costs less.",
    ]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"stochastic": False, "seeds": 1}, "the strategy itself leaves nothing to chance"),
        (
            {"seeds": 1, "of_recipe": False},
            "of this one trained model: one seed says nothing about the luck of training",
        ),
        ({"seeds": 1}, "the luck of training, as the other cells show it"),
    ],
)
def test_an_interval_of_one_run_is_said_to_be_one(changes, said):
    assert said in sentences.how_good(facts(cell("a on b", RECOMMENDED, **changes))).text


@pytest.mark.parametrize(
    "seen, said",
    [
        (12, "test images, 12 of which the weights that it starts from were trained on, so this flatters it, 95 %"),
        (float("nan"), "test images, of which nobody can know how many the weights that it starts from were trained on, 95 %"),
    ],
)  # fmt: skip
def test_a_score_on_images_that_the_weights_have_seen_is_said_to_flatter(seen, said):
    text = sentences.how_good(facts(cell("a on b", RECOMMENDED, seen_test_images=seen))).text
    assert said in text and "sealed" not in text


def test_what_was_not_measured_or_tuned_is_not_said_to_be():
    text = sentences.what_it_costs(
        cell("a on b", BELOW, tuning_seconds=0.0, latency_ms_batch1=float("nan"), threads="2")
    ).text
    assert text == "One model takes 21 s to train, without any tuning, on a CPU (2 threads); it has 3.4 M parameters."


def test_what_nobody_knows_of_predictions_from_outside_is_said():
    unknown = dict.fromkeys(("train_seconds", "tuning_seconds", "total_params", "latency_ms_batch1"), float("nan"))
    given = unknown | {"kind": "predictions", "stochastic": False, "of_recipe": False}
    assert sentences.what_it_costs(cell("api on cloud", RECOMMENDED, **given)).text == (
        "Its predictions come from outside: what it cost, its size and its latency are not known."
    )
    stated = sentences.what_it_costs(
        cell("api on cloud", RECOMMENDED, **given | {"train_seconds": 120.0, "tuning_seconds": 0.0})
    ).text
    assert stated == (
        "Its predictions come from outside: it took 2.0 min to train with its tuning, as its owner states; its size and its latency are "
        "not known."
    )
    found = facts(cell("api on cloud", RECOMMENDED, **given), cell("probe on a", SAME))
    assert (
        "1,597 test images, of which nobody here can know how many it was trained on, 95 %"
        in sentences.how_good(found).text
    )
    found.choice["cheapest_why"] = UNKNOWN_COST
    assert (
        "The cheapest that is shown to be as good: open, since what the best one costs is not known."
        in sentences.doubt(found).text
    )


def test_the_cheapest_that_is_shown_to_be_as_good_is_named_with_its_difference():
    found = facts(BEST, cell("probe on a", SAME), cheapest="probe on a")
    assert sentences.doubt(found).text == (
        "These test images do not tell probe on a from it, which is every other cell. The cheapest that is shown to be as good: probe on a: at least as good within "
        "1 point (-0.10 [-0.60, +0.40] points, 12 s of training and tuning, not 84 s)."
    )


def test_a_cell_that_is_better_on_the_test_images_is_not_kept_silent():
    text = sentences.doubt(facts(cell("scratch on b", ABOVE), BEST, cell("probe on a", BELOW))).text
    assert text == (
        "A test tells each of the 2 other cells from it; on the test images scratch on b did better. The cheapest that is shown to be as good: lp_ft on "
        "a, the best itself: no other that finished as many seeds costs less."
    )


def test_one_seed_compares_no_recipes():
    text = sentences.doubt(facts(BEST, cell("probe on a", UNTESTED))).text
    assert text.startswith("probe on a cannot be compared with it yet: one seed says nothing of a recipe. ")


def test_many_cells_are_counted():
    many = [cell(f"s{k} on a", SAME) for k in range(6)]
    assert (
        "These test images do not tell s0 on a, s1 on a, s2 on a and 3 others from it"
        in sentences.doubt(facts(BEST, *many)).text
    )


def test_one_cell_alone_and_none_finished():
    assert sentences.doubt(facts(BEST)).text == "There is no other finished cell to compare it with."
    lost = facts(cell("a on b", "diverged", accuracy_mean=float("nan"), diverged_seeds=3))
    assert sentences.headline(lost) == "Nothing can be recommended: no run finished"
    assert [one.text for one in sentences.answer(lost)] == [
        "Every run of all 1 cells diverged, so there is no accuracy."
    ]
    assert [one.text for one in sentences.changes(lost, "d: nothing can be tested")] == ["Nothing can be tested."]


def test_what_would_change_the_answer():
    others = (cell("probe on a", SAME, stochastic=False), cell("lora on a", SAME, at_grid_edge=True))
    lost = cell("hopeless on a", BELOW, diverged_seeds=2)
    clean = pd.DataFrame(
        [
            {
                "removed": 1,
                "without": "any mark",
                "accuracy_mean": 0.94,
                "accuracy_full": 0.9321,
                "rank": 1,
                "rank_full": 2,
            }
        ]
    )
    said = [
        one.text for one in sentences.changes(facts(BEST, *others, lost, clean=clean), "d: differences of 2 points")
    ]
    assert said == [
        "Differences of 2 points.",
        "More seeds: one more for the recommended cell and the 2 cells that no test tells from it is 2 runs, 42 s of training; "
        "finished runs stay as they are.",
        "Wider grids: lora on a has its best value at the edge of the grid, and more may lie beyond it.",
        "Runs that diverged: some or all seeds of hopeless on a; their cells stand on what is left.",
        "Without the 1 test image marked as “any mark” the recommended cell scores 94.0 %, not 93.2 %, and its rank is 1, not 2.",
    ]


def test_faults_of_the_data_are_said_also_where_nobody_judged_them():
    said = [one.text for one in failings.faults(facts(BEST))]
    assert said == [
        "0 test images of 1,597 have a near duplicate in training; 1 pair of near duplicates lies inside test, 1,200 inside training.",
        "1 test label and 5 training labels look mistaken to a linear probe on a; people should look at them.",
    ]
    blind = failings.faults(facts(BEST, audit=AUDIT | {"labels_judged_by": None}))
    assert (
        blind[1].text
        == "No label was judged: that needs a backbone with pretrained weights and a few images of each class."
    )


def test_odd_images_and_parts_that_differ_are_faults_too():
    shift = {"by": "lite0", "auc": 0.71, "null_low": 0.47, "null_high": 0.53, "p": 0.01}
    more = AUDIT | {"odd_images": {"blank": 2, "dark": 1}, "training_against_test": shift}
    assert [one.text for one in failings.faults(facts(BEST, audit=more))][2:] == [
        "Odd images: 2 blank, 1 dark.",
        "Training and test images can be told apart by lite0: AUC 0.71, by chance 0.47 to 0.53; they may not be drawn alike.",
    ]
    alike = AUDIT | {"odd_images": {}, "training_against_test": shift | {"p": 0.4}}
    assert len(failings.faults(facts(BEST, audit=alike))) == 2


def test_mistakes_are_counted_over_all_seeds():
    shown = {"images": 200, "wrong": 40, "wrong_of_any_seed": 55, "wrong_of_every_seed": 20, "sure": 3, "sure_above": 0.9,
             "seeds": [0, 1, 2], "shown": [{}] * 24}  # fmt: skip
    assert failings.mistakes(facts(BEST, mistakes=shown)).text == (
        "Its 3 seeds all err on 20 of 200 test images, at least one of them on 55, most on 40; of these 40, 3 with more than 90 % confidence "
        "(mean over seeds); the 24 most confident are these."
    )
    two = shown | {"seeds": [0, 1], "wrong": 20}
    assert "at least one of them on 55, both on 20" in failings.mistakes(facts(BEST, mistakes=two)).text
    one = shown | {"seeds": [0], "wrong": 2, "shown": [{}, {}]}
    assert failings.mistakes(facts(BEST, mistakes=one)).text == (
        "Its one model errs on 2 of 200 test images; of these 2, 3 with more than 90 % confidence; all are these."
    )
    assert failings.mistakes(
        facts(cell("x on a", RECOMMENDED, seeds=1, diverged_seeds=2), mistakes=one)
    ).text.startswith("Its one seed that finished errs on 2 of 200")
    perfect = shown | {"wrong": 0, "wrong_of_any_seed": 0, "wrong_of_every_seed": 0, "sure": 0, "shown": []}
    assert failings.mistakes(facts(BEST, mistakes=perfect)).text == (
        "Its 3 seeds all err on 0 of 200 test images, at least one of them on 0, most on 0."
    )
    assert failings.mistakes(facts(BEST)).text == "No run finished, so there is no mistake to show."


STABLE = {"p_best": 0.712, "p_top3": 0.96, "p_chosen": 0.6, "trials": 3, "last_gain": 0.012}


def test_the_order_is_said_to_be_as_firm_as_it_is():
    stable = pd.DataFrame([STABLE])
    others = [cell(f"s{number} on a", SAME) for number in range(3)]
    found = facts(BEST, *others)._replace(stability=stable)
    assert sentences.answer(found)[1].text == (
        "With other test images and seeds it would be the most accurate in 71.2 % of draws, and among the first three in 96.0 %; "
        "validation would choose it again in 60.0 %."
    )
    assert sentences.changes(found, "d: nothing")[1].text == (
        "More trials: the last of its 3 still added 1.2 points of validation score on average."
    )
    few = sentences.firm(facts(BEST, others[0])._replace(stability=stable))
    assert "first three" not in few[0].text  # of two cells it says nothing
    alone = facts(BEST)._replace(stability=pd.DataFrame([STABLE | {"last_gain": float("nan")}]))
    assert sentences.firm(alone) == [] and len(sentences.changes(alone, "d: nothing")) == 1


def test_doubted_labels_flatter_who_answers_like_the_probe():
    row = {
        "without": "suspected label error",
        "removed": 13,
        "accuracy_mean": 0.814,
        "accuracy_full": 0.694,
        "rank": 1,
        "rank_full": 1,
    }
    found = facts(BEST, clean=pd.DataFrame([row, row | {"without": "any mark", "rank": 2}]))
    texts = [one.text for one in sentences.changes(found, "d: nothing")[-2:]]
    assert texts == [
        "Without the 13 test images marked as “suspected label error” the recommended cell scores 81.4 %, not 69.4 %, and its rank stays 1. "
        "A probe on a doubts these labels; without them, cells that answer like it look better.",
        "Without the 13 test images marked as “any mark” the recommended cell scores 81.4 %, not 69.4 %, and its rank is 2, not 1.",
    ]


def test_a_cell_that_is_tested_in_folds_says_what_its_interval_covers_and_what_all_folds_cost():
    best = cell("a on b", RECOMMENDED, test_folds=5)
    assert (
        "the luck of training, as 5 folds show it, each with training images and tuning of its own and 3 seeds"
        in sentences.how_good(facts(best)).text
    )
    assert sentences.what_it_costs(best).text.startswith("The models of all 5 folds take 21")
    one = cell("a on b", RECOMMENDED, test_folds=5, seeds=1, of_recipe=True, stochastic=False)
    assert "tuning of its own;" in sentences.how_good(facts(one)).text
