"""Tables for readers: Markdown, LaTeX and self-contained HTML pages made from the CSV tables.

All three formats show the same cells and the same notes. The HTML page sorts and filters by DataTables, as the package itables
ships it: packed into the page, nothing is loaded from elsewhere.
"""

import pandas as pd

from ftbench.collect import read_runs
from ftbench.cost import study_total
from ftbench.files import write_text
from ftbench.html_table import html_page
from ftbench.table_columns import (
    ACCURACY,
    CALIBRATION,
    COMPARISON,
    CONFUSED,
    COST,
    ENERGY,
    NOTES,
    PAIRWISE,
    PER_CLASS,
    RECOMMENDATION,
    WITH_FLIPS,
    Column,
    readable,
)
from ftbench.table_formats import duration, percent
from ftbench.tables import detectable, mixed_hardware, read_table

BOLD = ("Backbone", "Strategy", ACCURACY, "A", "B", "p, Holm")  # what is bold in a marked row of Markdown and LaTeX
FLIPS_NOTE = (
    "with flips: test-time augmentation, the mean probability of an image and its mirror image; nothing else uses it"
)
MIXED_NOTE = (
    "the cells ran on different devices or thread counts: their seconds, images/s and memory do not compare as they stand; "
    "operations do"
)
LATENCY_NOTE = "latencies were measured on different machines or thread counts: they do not compare"
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_{}"},
}
LATEX |= {"±": r"$\pm$", "–": "--", "−": "$-$", "×": r"$\times$", "<": "$<$", ">": "$>$", "≤": r"$\leq$"}


def escape_latex(text: str) -> str:
    """Text as LaTeX shows it literally: underscores, percent signs and the like are escaped."""
    return "".join(LATEX.get(character, character) for character in text)


def _markdown(text: pd.DataFrame, notes: list[str], bold: list[int]) -> str:
    shown = text.astype(str).replace({r"\|": r"\\|"}, regex=True)
    lines = ["| " + " | ".join(shown.columns) + " |", "|" + "---|" * len(shown.columns)]
    for number, cells in enumerate(shown.to_dict("records")):
        marked = [f"**{cell}**" if number in bold and name in BOLD else cell for name, cell in cells.items()]
        lines.append("| " + " | ".join(marked) + " |")
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]) + "\n"


def _latex(text: pd.DataFrame, numeric: set[str], notes: list[str], bold: list[int]) -> str:
    """A booktabs tabular (`\\usepackage{booktabs}`), a rule between data sets, the notes as comments above it."""
    lines = [f"% {note}" for note in notes]
    alignment = "".join("r" if heading in numeric else "l" for heading in text.columns)
    lines += [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule"]
    lines += [" & ".join(escape_latex(heading) for heading in text.columns) + r" \\", r"\midrule"]
    previous = None
    for number, cells in enumerate(text.astype(str).to_dict("records")):
        group = cells.get("Dataset")
        if previous not in (None, group):
            lines.append(r"\midrule")
        previous = group
        escaped = {name: escape_latex(cell) for name, cell in cells.items()}
        if number in bold:
            escaped |= {name: rf"\textbf{{{cell}}}" for name, cell in escaped.items() if name in BOLD}
        lines.append(" & ".join(escaped.values()) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def publish(
    frame: pd.DataFrame,
    columns: dict[str, Column],
    out: dict,
    title: str,
    subtitle: str,
    notes: list[str],
    bold: list[int] = (),
) -> None:
    """Write a table in the formats of `out`, {"html" | "markdown" | "latex": path}; `bold` are the numbers of marked rows."""
    text, numbers = readable(frame, columns)
    if "html" in out:
        write_text(out["html"], html_page(text, numbers, title, subtitle, notes, bold))
    if "markdown" in out:
        write_text(out["markdown"], _markdown(text, notes, bold))
    if "latex" in out:
        write_text(out["latex"], _latex(text, set(numbers), notes, bold))


def leaders(frame: pd.DataFrame) -> list[int]:
    """Row numbers of the highest test accuracy of each data set."""
    return [
        int(own["accuracy_mean"].idxmax()) for _, own in frame.groupby("dataset") if own["accuracy_mean"].notna().any()
    ]


def _comparison_notes(text: pd.DataFrame) -> list[str]:
    used = {mark for flags in text["Flags"] for mark in flags.split()}
    return [
        "bold: highest test accuracy of its data set",
        *(f"{mark}: {note}" for mark, note in NOTES.items() if mark in used),
    ]


def detectable_note(frame: pd.DataFrame, differences: pd.DataFrame, dataset: str) -> str:
    """What differences this data set's tests could have found, in one sentence; `frame` is comparison.csv."""
    own, found = frame[frame["dataset"] == dataset], detectable(differences, dataset)
    if found.empty:
        return f"{dataset}: fewer than two cells finished, so no difference can be tested"
    images, seeds = int(own["test_images"].max()), int(own["seeds"].max())
    seen = found[
        found <= 1
    ]  # the seeds of the other pairs differ so much that only more than 100 points would be found
    said = f"{dataset}, {images:,} test images, {seeds} seed{'s' * (seeds != 1)}: "
    if len(seen):
        said += (
            f"of true differences of {percent(seen.median())} points 80 % would be found (p < 0.05 before correction; median over "
            f"pairs of cells, which range from {percent(seen.min())} to {percent(seen.max())}); differences smaller than that may "
            "exist unseen"
        )
    if len(seen) < len(found):
        said += "; " * bool(len(seen))
        said += f"{len(found) - len(seen)} of {len(found)} pairs could show no difference at all, so far apart are their seeds"
    return said


def comparison_pages(comparison_csv, differences_csv, comparison_out: dict, calibration_out: dict) -> None:
    """Write the comparison (leaders bold, flags and detectable differences below it) and the calibration table of the same cells."""
    frame, differences = read_table(comparison_csv), read_table(differences_csv)
    detectables = [detectable_note(frame, differences, dataset) for dataset in dict.fromkeys(frame["dataset"])]
    flips = frame["tta_accuracy"].notna().any()
    # without flips where no data set of the study may be mirrored
    columns = {heading: column for heading, column in COMPARISON.items() if flips or heading != WITH_FLIPS}
    notes = _comparison_notes(readable(frame, columns)[0]) + detectables
    notes += [FLIPS_NOTE] * bool(flips) + [MIXED_NOTE] * mixed_hardware(frame)
    subtitle = "Means over seeds on the sealed test set; intervals over seeds and test images."
    publish(frame, columns, comparison_out, "Comparison of all cells", subtitle, notes, leaders(frame))
    notes = [
        "temperature: fitted on validation logits, then divides the test logits; above 1 the model was too sure, below 1 not sure enough; "
        "no prediction changes",
        "AURC: mean error over all shares of images that are answered, the surest first; lower is better",
        "ECE: 15 bins of equal width, adaptive ECE: 15 bins of equal size",
    ]
    finished = frame[frame["accuracy_mean"].notna()].reset_index(drop=True)
    subtitle = "Whether the models know how sure they may be: test set, means over seeds."
    publish(finished, CALIBRATION, calibration_out, "Calibration and selective prediction", subtitle, notes)


def pairwise_pages(pairwise_csv, out: dict) -> None:
    """Write the tests between cells: significant rows (Holm p below 0.05) in bold."""
    frame = read_table(pairwise_csv)
    bold = [int(number) for number in frame.index[frame["p_holm"] < 0.05]]
    notes = [
        "bold: p below 0.05 after Holm's correction within its family (strategies of one backbone, or cells against the "
        "recommended one)",
        "h: Cohen's effect size of two proportions; 0.2 is small, 0.5 medium, 0.8 large",
        "detectable: the true difference that 80 % of studies of this size would find, at this pair's standard error; none where it is more "
        "than 100 points",
        "McNemar: lowest and highest of the per-seed tests, descriptive only: it takes no account of seed variance",
    ]
    subtitle = "Crossed random effects of seeds and test images, Satterthwaite t."
    publish(frame, PAIRWISE, out, "Differences of accuracy", subtitle, notes, bold)


def win_tie_loss_pages(win_tie_loss_csv, strategies: list[str], sentence: str, out: dict) -> None:
    """Write the matrix of wins, ties and losses of every strategy (row) against every other (column), in config order."""
    counts = {
        (row.strategy_a, row.strategy_b): f"{row.wins} / {row.ties} / {row.losses}"
        for row in read_table(win_tie_loss_csv).itertuples()
    }
    present = [name for name in strategies if any(name == a for a, _ in counts)]
    rows = [{"strategy": a, **{b: counts.get((a, b), "–") for b in present}} for a in present]
    frame = pd.DataFrame(rows, columns=["strategy", *present])
    columns = {"Strategy": Column(lambda row: row[0])}
    columns |= {f"against {b}": Column(lambda row, place=place: row[place]) for place, b in enumerate(present, 1)}
    notes = [
        "a round is one backbone on one data set; it is won or lost where p is below 0.05 after Holm's correction, else tied",
        sentence,
    ]
    subtitle = "How often the strategy of the row wins / ties / loses against that of the column."
    publish(frame, columns, out, "Wins, ties and losses", subtitle, notes)


def cost_pages(cost_csv, runs_csv, out: dict) -> None:
    """Write the cost table, with the study's total from runs.csv, where a shared feature file counts once."""
    frame = read_table(cost_csv)
    # without energy where the config names no watts
    columns = {
        heading: column for heading, column in COST.items() if heading != ENERGY or frame["energy_wh"].notna().any()
    }
    total = study_total(read_runs(runs_csv))
    machines = sorted(
        {
            f"{row.latency_device}, {row.latency_threads} thread{'s' * (row.latency_threads != 1)}"
            for row in frame.itertuples()
        }
    )
    notes = [
        f"the whole study took {duration(total['total_seconds'])}: training {duration(total['loop_seconds'])}, tuning "
        f"{duration(total['tuning_seconds'])}, features {duration(total['feature_seconds'])}; each feature file counts once there",
        "training per run = own loop + features + borrowed probe; a diverged run counts in the study's total, not in its cell's mean",
        "operations are those of matrix products and convolutions, a multiply-add as two, counted around one step of the training loop; "
        "training has all steps, validation passes, features and the probe that the cell uses, tuning all trials",
        "latency: median from uint8 images on the device to logits, " + "; ".join(machines),
        *([MIXED_NOTE] if mixed_hardware(frame) else []),
        *([LATENCY_NOTE] if len(machines) > 1 else []),
    ]
    subtitle = "What one model of each cell costs: shared work is charged in full to each cell that uses it."
    publish(frame, columns, out, "Cost of all cells", subtitle, notes)


def class_pages(per_class_csv, confused_csv, per_class_out: dict, confused_out: dict) -> None:
    """Write the tables of single classes and of the pairs that are most often confused."""
    notes = ["interval of recall: over seeds and the class's own test images; one class has few, so it is wide"]
    subtitle = "Means over the seeds that finished."
    publish(read_table(per_class_csv), PER_CLASS, per_class_out, "Every class in every cell", subtitle, notes)
    subtitle = "The classes that each cell takes for another most often: means over the seeds that finished."
    publish(read_table(confused_csv), CONFUSED, confused_out, "Most confused pairs", subtitle, [])


def recommendation_pages(recommendation_csv, out: dict) -> None:
    """Write the recommendation of every data set and budget."""
    frame = read_table(recommendation_csv)
    notes = [
        "a budget bounds the training time of one model with its tuning, the parameters of the whole network, or the latency of one image",
        "best: highest validation score among the cells that keep the budget; its test accuracy played no part",
        "not told from it: cells whose difference to the best one has p of at least 0.05 after Holm's correction within the budget. They are "
        "not proven equal: the interval of the difference says how much worse the cheapest may be",
        "cheapest: least of the resource that the budget limits, or least training time where it limits none or several; a cell whose interval "
        "of the difference lies wholly below zero is not named",
        *([MIXED_NOTE + ", and decide here which is cheapest"] if frame["mixed_hardware"].fillna(False).any() else []),
        "gained by choosing on test: what the score of the winner would have been flattered by, had the test set chosen it",
    ]
    subtitle = "Chosen on validation, reported on the test set."
    publish(frame, RECOMMENDATION, out, "What to pick", subtitle, notes)
