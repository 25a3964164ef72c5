"""The sentences of the summary: functions of a data set's facts, each with the file that its numbers come from."""

from typing import NamedTuple

import pandas as pd

from ftbench.report.layout.formats import capital, count, duration, percent, points
from ftbench.report.layout.frames import from_outside
from ftbench.report.layout.words import SHOWN, cheapest_said
from ftbench.report.summary.facts import ABOVE, DIVERGED, UNTESTED, Cell, Facts

SUSPECTED = "suspected label error"  # a mark of the audit
NAMED = 3  # cells that a sentence names; the others are counted
COMPARISON, RECOMMENDATION, DIFFERENCES = (
    f"tables/{name}.csv" for name in ("comparison", "recommendation", "differences")
)

STABILITY = "tables/stability.csv"
TOP = 3  # "among the first three" says something of four cells or more
NOTABLE_GAIN = 0.005  # of the last trial, as a fraction: half a point of validation score


class Sentence(NamedTuple):
    """Words for readers, and the file with their numbers."""

    text: str
    source: str


def headline(facts: Facts) -> str:
    """ "Use lp_ft on efficientnet_lite0", or why nothing can be recommended."""
    return f"Use {facts.best.name}" if facts.best else "Nothing can be recommended: no run finished"


def answer(facts: Facts) -> list[Sentence]:
    """How good it is, how good without the luck of having been chosen, what it costs, and what else to think of; one where nothing finished."""
    if facts.best is None:
        return [Sentence(f"Every run of all {len(facts.cells)} cells diverged, so there is no accuracy.", COMPARISON)]
    fairer = [without_luck(facts)] if facts.several and pd.notna(facts.choice["best_crossfitted"]) else []
    return [how_good(facts), *firm(facts), *fairer, what_it_costs(facts.best), doubt(facts)]


def how_good(facts: Facts) -> Sentence:
    row = facts.best.row
    low, high = percent(row["accuracy_ci_low"]), percent(row["accuracy_ci_high"])
    said = f"It is right on {percent(row['accuracy_mean'])} % of the {int(row['test_images']):,} {_seen(row)}, "
    said += (
        f"95 % interval {low} to {high} %, which covers {_covered(row, facts.own_splits)}; validation images chose it"
    )
    said += f" among {many(len(facts.cells), 'cell')} (a backbone with a strategy)" if facts.several else ""
    return Sentence(f"{said}.", COMPARISON)


def _seen(row: pd.Series) -> str:
    """ "sealed test images", or what takes from their worth: the weights that the cell starts from were trained on some of them."""
    if from_outside(row.get("kind")):
        return "test images, of which nobody here can know how many it was trained on"
    if row["seen_test_images"] == 0:
        return "sealed test images"
    if pd.isna(row["seen_test_images"]):
        return "test images, of which nobody can know how many the weights that it starts from were trained on"
    seen = int(row["seen_test_images"])
    return f"test images, {seen:,} of which the weights that it starts from were trained on, so this flatters it"


def firm(facts: Facts) -> list[Sentence]:
    """How often the recommended cell would be first, and chosen, again; nothing if there is no other."""
    said = []
    for _, row in facts.stability.iterrows():
        text = f"With other test images and seeds it would be the most accurate in {percent(row['p_best'])} % of draws"
        text += f", and among the first three in {percent(row['p_top3'])} %" * (len(_other_finished(facts)) >= TOP)
        said.append(Sentence(f"{text}; validation would choose it again in {percent(row['p_chosen'])} %.", STABILITY))
    return said * facts.several


def without_luck(facts: Facts) -> Sentence:
    """The accuracy on seeds that did not choose: the fairer one beside that of the seeds that did."""
    said = "The same trained networks chose it and are scored here. Chosen on some seeds and scored on the others, what is chosen reaches "
    said += f"{percent(facts.choice['best_crossfitted'])} % on average, whichever cell that is: the fairer figure."
    return Sentence(said, RECOMMENDATION)


def _covered(row: pd.Series, own_splits: bool = False) -> str:
    if folds := row.get("test_folds", 0):
        seeds = "" if row["seeds"] == 1 else f" and {int(row['seeds'])} seeds in each"
        return f"the choice of images and the luck of training, as {int(folds)} folds show it, each with training images and tuning of its own{seeds}"
    if not row["stochastic"] and not row["of_recipe"]:
        return "the choice of test images alone, of the very models that it stands on: others made in the same way would differ"
    if not row["stochastic"]:
        return "the choice of test images (the strategy itself leaves nothing to chance; other training images could move it)"
    if not row["of_recipe"]:
        return "the choice of test images alone, of this one trained model: one seed says nothing about the luck of training"
    if row["seeds"] == 1:
        return (
            "the choice of test images and the luck of training, as the other cells show it: this one has a single seed"
        )
    seeds = f"the choice of test images and the luck of {int(row['seeds'])} training seeds"
    if own_splits:
        return f"{seeds}, each with its own validation split and tuning, not that of all training images together"
    return f"{seeds}, not that of the training images"


def what_it_costs(cell: Cell) -> Sentence:
    row = cell.row
    if from_outside(row.get("kind")):
        return Sentence(_stated_cost(row), COMPARISON)
    folds = int(row.get("test_folds", 0))
    models = f"The models of all {folds} folds take" if folds else "One model takes"
    said = f"{models} {duration(row['train_seconds'])} to train"
    said += (
        f" after {duration(row['tuning_seconds'])} of tuning" if row["tuning_seconds"] > 0 else ", without any tuning,"
    )
    said += f" on {_machine(row)}; {'each' if folds else 'it'} has {count(row['total_params'])} parameters"
    if pd.notna(row["latency_ms_batch1"]):
        said += f" and answers one image in {row['latency_ms_batch1']:.3g} ms"
    return Sentence(f"{said}.", COMPARISON)


def _stated_cost(row: pd.Series) -> str:
    """Of predictions from outside: what their owner states, and that the rest is not known."""
    if pd.isna(row["train_seconds"]):
        return "Its predictions come from outside: what it cost, its size and its latency are not known."
    stated = f"{duration(row['train_seconds'])} to train with its tuning, as its owner states"
    return f"Its predictions come from outside: it took {stated}; its size and its latency are not known."


def _machine(row: pd.Series) -> str:
    device, threads = str(row["device_name"]), str(row["threads"])
    return f"{device} ({threads} thread{'s' * (threads != '1')})"


def doubt(facts: Facts) -> Sentence:
    """What no test tells from the recommended cell, and which cheaper one is shown to be as good."""
    if not facts.several:
        return Sentence("There is no other finished cell to compare it with.", COMPARISON)
    same, others = facts.same(), _other_finished(facts)
    untested = [cell for cell in others if cell.verdict == UNTESTED]
    if untested:
        said = f"{_few(untested)} cannot be compared with it yet: one seed says nothing of a recipe"
    elif same:
        said = f"These test images do not tell {_few(same)} from it"
        said += "" if len(same) < len(others) else ", which is every other cell"
    else:
        said = f"A test tells each of the {many(len(others), 'other cell')} from it"
    better = [cell for cell in others if cell.verdict == ABOVE]
    said += f"; on the test images {_few(better)} did better" if better else ""
    return Sentence(f"{said}. {_cheaper(facts)}.", RECOMMENDATION)


def _cheaper(facts: Facts) -> str:
    cheapest, choice = facts.named("cheapest"), facts.choice
    said = cheapest_said(choice, "" if cheapest is None else cheapest.name)
    if choice["cheapest_why"] != SHOWN:
        return f"The cheapest that is shown to be as good: {said}"
    own, other = (duration(60 * choice[f"{who}_minutes"]) for who in ("cheapest", "best"))
    gap = points(choice["cheapest_difference"], choice["cheapest_difference_low"], choice["cheapest_difference_high"])
    return f"The cheapest that is shown to be as good: {said} ({gap} points, {own} of training and tuning, not {other})"


def _other_finished(facts: Facts) -> list[Cell]:
    return [cell for cell in facts.cells if cell.verdict != DIVERGED and cell.name != facts.best.name]


def many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _few(cells: list[Cell]) -> str:
    """ "a, b and c", or "a, b, c and 4 others"."""
    names = [cell.name for cell in cells[:NAMED]]
    if len(cells) > NAMED:
        names.append(many(len(cells) - NAMED, "other"))
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def changes(facts: Facts, detectable: str) -> list[Sentence]:
    """What would change the answer: differences that stay unseen, more seeds, wider grids, runs that diverged.

    `detectable` is the comparison's own note on the differences that its tests could have found.
    """
    said = [Sentence(_capital(detectable) + ".", DIFFERENCES)]
    if facts.best is None:
        return said
    said += _short_search(facts)
    open_ones = [facts.best, *facts.same()]
    drawn = [cell for cell in open_ones if cell.row["stochastic"]]
    if len(open_ones) > 1 and drawn:
        seconds = sum(cell.row["train_seconds"] for cell in drawn)
        said.append(
            Sentence(
                f"More seeds: one more for the recommended cell and the {many(len(open_ones) - 1, 'cell')} that no test tells from it "
                f"is {many(len(drawn), 'run')}, {duration(seconds)} of training; finished runs stay as they are.",
                COMPARISON,
            )
        )
    edges = [cell for cell in open_ones if pd.notna(cell.row["at_grid_edge"]) and cell.row["at_grid_edge"]]
    if edges:
        verb = "has its" if len(edges) == 1 else "have their"
        said.append(
            Sentence(
                f"Wider grids: {_few(edges)} {verb} best value at the edge of the grid, and more may lie beyond it.",
                COMPARISON,
            )
        )
    lost = [cell for cell in facts.cells if cell.row["diverged_seeds"] > 0]
    if lost:
        said.append(
            Sentence(
                f"Runs that diverged: some or all seeds of {_few(lost)}; their cells stand on what is left.", COMPARISON
            )
        )
    return [*said, *_clean(facts)]


def _short_search(facts: Facts) -> list[Sentence]:
    """Whether the last of the recommended cell's trials still brought something."""
    return [
        Sentence(
            f"More trials: the last of its {row['trials']:.0f} still added {percent(row['last_gain'])} points of validation score on average.",
            STABILITY,
        )
        for _, row in facts.stability.iterrows()
        if row["last_gain"] >= NOTABLE_GAIN
    ]


def _clean(facts: Facts) -> list[Sentence]:
    """How the recommended cell scores without the test images that the audit or the user marked."""
    return [
        Sentence(
            f"Without the {many(int(row['removed']), 'test image')} marked as “{row['without']}” the recommended cell scores "
            f"{percent(row['accuracy_mean'])} %, not {percent(row['accuracy_full'])} %, and its rank {_moved(row)}.{_flattered(row, facts.audit)}",
            "tables/clean_test.csv",
        )
        for _, row in facts.clean.iterrows()
        if pd.notna(row["accuracy_mean"])
    ]


def _moved(row: pd.Series) -> str:
    same = row["rank"] == row["rank_full"]
    return f"stays {row['rank']:.0f}" if same else f"is {row['rank']:.0f}, not {row['rank_full']:.0f}"


def _flattered(row: pd.Series, audit: dict) -> str:
    """Who doubts labels favours those that answer alike."""
    if row["without"] != SUSPECTED or row["removed"] == 0:
        return ""
    return f" A probe on {audit['labels_judged_by']} doubts these labels; without them, cells that answer like it look better."


def _capital(text: str) -> str:
    """ "detectable" notes begin with the data set's name, which a sentence under its heading needs no more."""
    return capital(text.partition(": ")[2])
