"""The sentences of the summary: functions of a data set's facts, each with the file that its numbers come from."""

from typing import NamedTuple

import pandas as pd

from ftbench.compare.slice_accuracy import SMALL
from ftbench.report.classes.slices_table import gap_said, worse, worse_said
from ftbench.report.layout.formats import capital, count, duration, percent, points
from ftbench.report.layout.frames import from_outside
from ftbench.report.layout.words import SHOWN, cheapest_said
from ftbench.report.summary.facts import ABOVE, DIVERGED, UNTESTED, Cell, Facts

NAMED = 3  # cells that a sentence names; the others are counted
COMPARISON, RECOMMENDATION, DIFFERENCES = (
    f"tables/{name}.csv" for name in ("comparison", "recommendation", "differences")
)

SLICES = "tables/slices.csv"
STABILITY = "tables/stability.csv"
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
    return [how_good(facts), *fairer, what_it_costs(facts.best), doubt(facts)]


def how_good(facts: Facts) -> Sentence:
    row = facts.best.row
    low, high = percent(row["accuracy_ci_low"]), percent(row["accuracy_ci_high"])
    said = f"It is right on {percent(row['accuracy_mean'])} % of the {int(row['test_images']):,} {_seen(row)}, "
    said += f"95 % interval {low} to {high} %, which covers {_covered(row)}; validation images chose it"
    said += f" among {_many(len(facts.cells), 'cell')} (a backbone with a strategy)" if facts.several else ""
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


def without_luck(facts: Facts) -> Sentence:
    """The accuracy on seeds that did not choose: the fairer one beside that of the seeds that did."""
    said = "It was chosen by the same trained networks that it is reported on; chosen without each of them in turn, they reach "
    return Sentence(f"{said}{percent(facts.choice['best_crossfitted'])} %, the fairer figure.", RECOMMENDATION)


def _covered(row: pd.Series) -> str:
    if not row["stochastic"] and not row["of_recipe"]:
        return "the choice of test images alone, of the very models that it stands on: others made in the same way would differ"
    if not row["stochastic"]:
        return "the choice of test images (the strategy itself leaves nothing to chance)"
    if not row["of_recipe"]:
        return "the choice of test images alone, of this one trained model: one seed says nothing about the luck of training"
    if row["seeds"] == 1:
        return (
            "the choice of test images and the luck of training, as the other cells show it: this one has a single seed"
        )
    return f"the choice of test images and the luck of {int(row['seeds'])} training seeds"


def what_it_costs(cell: Cell) -> Sentence:
    row = cell.row
    if from_outside(row.get("kind")):
        return Sentence(_stated_cost(row), COMPARISON)
    said = f"One model takes {duration(row['train_seconds'])} to train"
    said += (
        f" after {duration(row['tuning_seconds'])} of tuning" if row["tuning_seconds"] > 0 else ", without any tuning,"
    )
    said += f" on {_machine(row)}; it has {count(row['total_params'])} parameters"
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
        said = f"No test tells {_few(same)} from it"
        said += "" if len(same) < len(others) else ", which is every other cell"
    else:
        said = f"A test tells each of the {_many(len(others), 'other cell')} from it"
    better = [cell for cell in others if cell.verdict == ABOVE]
    said += f"; on the test images {_few(better)} did better" if better else ""
    return Sentence(f"{said}. {_cheaper(facts)}.", RECOMMENDATION)


def _cheaper(facts: Facts) -> str:
    cheapest, choice = facts.named("cheapest"), facts.choice
    said = cheapest_said(choice, "" if cheapest is None else cheapest.name)
    if choice["cheapest_why"] != SHOWN:
        return f"The cheapest that is as good: {said}"
    own, other = (duration(60 * choice[f"{who}_minutes"]) for who in ("cheapest", "best"))
    gap = points(choice["cheapest_difference"], choice["cheapest_difference_low"], choice["cheapest_difference_high"])
    return f"The cheapest that is as good: {said} ({gap} points, {own} of training and tuning, not {other})"


def _other_finished(facts: Facts) -> list[Cell]:
    return [cell for cell in facts.cells if cell.verdict != DIVERGED and cell.name != facts.best.name]


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _few(cells: list[Cell]) -> str:
    """ "a, b and c", or "a, b, c and 4 others"."""
    names = [cell.name for cell in cells[:NAMED]]
    if len(cells) > NAMED:
        names.append(_many(len(cells) - NAMED, "other"))
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def changes(facts: Facts, detectable: str) -> list[Sentence]:
    """What would change the answer: differences that stay unseen, more seeds, wider grids, runs that diverged.

    `detectable` is the comparison's own note on the differences that its tests could have found.
    """
    said = [Sentence(_capital(detectable) + ".", DIFFERENCES)]
    if facts.best is None:
        return said
    said += _firm(facts)
    open_ones = [facts.best, *facts.same()]
    drawn = [cell for cell in open_ones if cell.row["stochastic"]]
    if len(open_ones) > 1 and drawn:
        seconds = sum(cell.row["train_seconds"] for cell in drawn)
        said.append(
            Sentence(
                f"More seeds: one more for the recommended cell and the {_many(len(open_ones) - 1, 'cell')} that no test tells from it "
                f"is {_many(len(drawn), 'run')}, {duration(seconds)} of training; finished runs stay as they are.",
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


def _firm(facts: Facts) -> list[Sentence]:
    """How often the recommended cell would be first, and chosen, again; and whether its search was short."""
    said = []
    for _, row in facts.stability.iterrows():
        text = f"With other test images and seeds it would be the most accurate in {percent(row['p_best'])} % of draws and among the first three "
        text += f"in {percent(row['p_top3'])} %; validation would choose it again in {percent(row['p_chosen'])} %."
        said += [Sentence(text, STABILITY)] * facts.several
        if row["last_gain"] >= NOTABLE_GAIN:
            text = f"More trials: the last of its {row['trials']:.0f} still added {percent(row['last_gain'])} points of validation score on average."
            said.append(Sentence(text, STABILITY))
    return said


def _clean(facts: Facts) -> list[Sentence]:
    """How the recommended cell scores without the test images that the audit or the user marked."""
    return [
        Sentence(
            f"Without the {_many(int(row['removed']), 'test image')} marked as “{row['without']}” the recommended cell scores "
            f"{percent(row['accuracy_mean'])} %, not {percent(row['accuracy_full'])} %, and its rank is {row['rank']:.0f}, not {row['rank_full']:.0f}.",
            "tables/clean_test.csv",
        )
        for _, row in facts.clean.iterrows()
        if pd.notna(row["accuracy_mean"])
    ]


def _capital(text: str) -> str:
    """ "detectable" notes begin with the data set's name, which a sentence under its heading needs no more."""
    return capital(text.partition(": ")[2])


def slices(facts: Facts) -> list[Sentence]:
    """The slices in which the recommended cell is clearly worse, the gap of every column, and slices too small to say."""
    found = worse(facts.slices)
    said = [Sentence(capital(worse_said(row)) + ".", SLICES) for row in found.head(NAMED).itertuples()]
    if len(found) > NAMED:
        said.append(Sentence(f"So it is with {_many(len(found) - NAMED, 'other slice')}.", SLICES))
    if found.empty:
        tested = int(facts.slices["difference"].notna().sum())
        why = (
            f"No test tells any of {_many(tested, 'slice')} from the rest as worse"
            if facts.slices["p_holm"].notna().any()
            else "One seed says nothing of a recipe, so that no slice is tested"
            if tested
            else f"No slice has {SMALL} independent images, with as many outside it"
        )
        said.append(Sentence(f"{why}.", SLICES))
    said += [Sentence(capital(gap_said(row)) + ".", "tables/slice_gaps.csv") for row in facts.gaps.itertuples()]
    small = facts.slices[facts.slices["small"].astype(bool)]
    if len(small):
        names = [f"{row.column} = {row.slice} ({row.images})" for row in small.head(NAMED).itertuples()]
        names += [_many(len(small) - NAMED, "other")] * (len(small) > NAMED)
        verb = "is" if len(small) == 1 else "are"
        said.append(Sentence(f"Too small to say: {', '.join(names)} {verb} shown and not tested.", SLICES))
    return said


def faults(facts: Facts) -> list[Sentence]:
    """What the audit found in the data."""
    audit, source = facts.audit, f"data/{facts.dataset}/audit/audit.json"
    copies, inside = audit["test_images_with_a_training_duplicate"], audit["pairs_inside_test"]
    said = f"{_many(copies, 'test image')} of {audit['test_images']:,} {'has' if copies == 1 else 'have'} a near duplicate in training"
    said += f"; {_many(inside, 'pair')} of near duplicates {'lies' if inside == 1 else 'lie'} inside test, "
    said += f"{audit['pairs_inside_training']:,} inside training"
    said += "" if audit.get("shifted_copies_sought", True) else " (of so many images, shifted copies were not sought)"
    found = [Sentence(f"{said}.", source)]
    if audit["labels_judged_by"] is None:
        needed = "a backbone with pretrained weights and a few images of each class"
        found.append(Sentence(f"No label was judged: that needs {needed}.", source))
    else:
        suspected = audit["suspected_labels"]
        trained = suspected["train"] + suspected["validation"]
        said = f"{_many(suspected['test'], 'test label')} and {_many(trained, 'training label')} look mistaken to a linear probe on "
        found.append(Sentence(said + f"{audit['labels_judged_by']}; people should look at them.", source))
    odd = audit.get("odd_images")
    if odd:
        counts = ", ".join(f"{number:,} {reason}" for reason, number in odd.items())
        found.append(Sentence(f"Odd images: {counts}.", source))
    shift = audit.get("training_against_test")
    if shift and shift["p"] < 0.05:
        found.append(
            Sentence(
                f"Training and test images can be told apart by {shift['by']}: AUC {shift['auc']:.2f}, by chance {shift['null_low']:.2f} to "
                f"{shift['null_high']:.2f}; they may not be drawn alike.",
                source,
            )
        )
    return found


def mistakes(facts: Facts) -> Sentence:
    """How many mistakes the gallery draws from, and how sure the model was of them."""
    found, source = facts.mistakes, f"plots/{facts.dataset}.mistakes.json"
    if not found["images"]:
        return Sentence("No run finished, so there is no mistake to show.", source)
    said = f"Seed {found['seed']} errs on {found['wrong']:,} of {found['images']:,} test images"
    if found["wrong"]:
        said += f", on {found['sure']:,} of them with more than {100 * found['sure_above']:.0f} % confidence"
        said += f"; the {len(found['shown'])} most confident are these" if len(found["shown"]) > 1 else ""
    return Sentence(said + ".", source)
