"""Where the recommended cell fails, and what is wrong with the images: sentences of the summary, each with the file of its numbers."""

from ftbench.compare.slice_accuracy import SMALL
from ftbench.report.classes.slices_table import gap_said, worse, worse_said
from ftbench.report.layout.formats import capital
from ftbench.report.summary.facts import Facts
from ftbench.report.summary.sentences import NAMED, Sentence, many

SLICES = "tables/slices.csv"


def slices(facts: Facts) -> list[Sentence]:
    """The slices in which the recommended cell is clearly worse, the gap of every column, and slices too small to say."""
    found = worse(facts.slices)
    said = [Sentence(capital(worse_said(row)) + ".", SLICES) for row in found.head(NAMED).itertuples()]
    if len(found) > NAMED:
        said.append(Sentence(f"So it is with {many(len(found) - NAMED, 'other slice')}.", SLICES))
    if found.empty:
        tested = int(facts.slices["difference"].notna().sum())
        why = (
            f"No test tells any of {many(tested, 'slice')} from the rest as worse"
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
        names += [many(len(small) - NAMED, "other")] * (len(small) > NAMED)
        verb = "is" if len(small) == 1 else "are"
        said.append(Sentence(f"Too small to say: {', '.join(names)} {verb} shown and not tested.", SLICES))
    return said


def faults(facts: Facts) -> list[Sentence]:
    """What the audit found in the data."""
    audit, source = facts.audit, f"data/{facts.dataset}/audit/audit.json"
    copies, inside = audit["test_images_with_a_training_duplicate"], audit["pairs_inside_test"]
    said = f"{many(copies, 'test image')} of {audit['test_images']:,} {'has' if copies == 1 else 'have'} a near duplicate in training"
    said += f"; {many(inside, 'pair')} of near duplicates {'lies' if inside == 1 else 'lie'} inside test, "
    said += f"{audit['pairs_inside_training']:,} inside training"
    said += "" if audit.get("shifted_copies_sought", True) else " (of so many images, shifted copies were not sought)"
    found = [Sentence(f"{said}.", source)]
    if audit["labels_judged_by"] is None:
        needed = "a backbone with pretrained weights and a few images of each class"
        found.append(Sentence(f"No label was judged: that needs {needed}.", source))
    else:
        suspected = audit["suspected_labels"]
        trained = suspected["train"] + suspected["validation"]
        said = f"{many(suspected['test'], 'test label')} and {many(trained, 'training label')} look mistaken to a linear probe on "
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
    """How many mistakes the gallery draws from, in how many seeds, and how sure the models were of them."""
    found, source = facts.mistakes, f"plots/{facts.dataset}.mistakes.json"
    if not found["images"]:
        return Sentence("No run finished, so there is no mistake to show.", source)
    seeds, images = len(found["seeds"]), f"{found['images']:,} test images"
    if seeds == 1:
        lost = facts.best is not None and facts.best.row["diverged_seeds"] > 0
        said = f"Its one {'seed that finished' if lost else 'model'} errs on {found['wrong']:,} of {images}"
    else:
        most = "both" if seeds == 2 else "most"
        said = f"Its {seeds} seeds all err on {found['wrong_of_every_seed']:,} of {images}, at least one of them on "
        said += f"{found['wrong_of_any_seed']:,}, {most} on {found['wrong']:,}"
    if found["wrong"]:
        said += f"; of these {found['wrong']:,}, {found['sure']:,} with more than {100 * found['sure_above']:.0f} % confidence"
        said += " (mean over seeds)" if seeds > 1 else ""
        shown = "all" if len(found["shown"]) == found["wrong"] else f"the {len(found['shown'])} most confident"
        said += f"; {shown} are these" if len(found["shown"]) > 1 else ""
    return Sentence(said + ".", source)
