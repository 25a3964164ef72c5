"""Tables for readers: Markdown, LaTeX and self-contained HTML pages made from the CSV tables.

Percent, units and few digits here; the CSV keeps the exact numbers. All three formats show the same cells and the same notes.
"""

from collections.abc import Callable

import pandas as pd
from great_tables import GT, html, loc, md, style

from ftbench.collect import read_runs
from ftbench.cost import study_total
from ftbench.files import write_text
from ftbench.tables import mixed_hardware, read_table

MISSING = "–"
NOTES = {
    "r": "recommended: best validation score of its data set; no test score was looked at to choose it",
    "u": "untuned: run at its fixed recipe",
    "e": "the chosen value is at the edge of its grid: a wider grid could do better",
    "d": "some or all seeds diverged: scores are means over the others",
    "1": "one run only (a deterministic strategy, or a single seed): its interval covers the test images alone",
}
FLIPS_NOTE = (
    "with flips: test-time augmentation, the mean probability of an image and its mirror image; nothing else uses it"
)
ACCURACY = "Accuracy, % [95 % interval]"
ENERGY = "Energy, Wh"
MIXED_NOTE = (
    "the cells ran on different devices or thread counts: their seconds, images/s and memory do not compare as they stand; "
    "operations do"
)
WITH_FLIPS = "With flips, %"
BOLD = ("Backbone", "Strategy", ACCURACY)  # what is set in bold in a leader's row, where HTML sets the whole row
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_{}"},
}
LATEX |= {"±": r"$\pm$", "–": "--", "−": "$-$", "×": r"$\times$", "<": "$<$", ">": "$>$"}


def escape_latex(text: str) -> str:
    """Text as LaTeX shows it literally: underscores, percent signs and the like are escaped."""
    return "".join(LATEX.get(character, character) for character in text)


def duration(seconds: float) -> str:
    """'0.7 s', '45 s', '12 min', '3.4 h', '2.1 d': two to three digits, the unit that fits."""
    if pd.isna(seconds):
        return MISSING
    if seconds == 0:
        return "0 s"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= 2 * size or unit == "s":
            value = seconds / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
    raise AssertionError("the last unit takes every duration")


def count(number: float) -> str:
    """'5.1 k', '3.4 M': a number of parameters."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def operations(number: float) -> str:
    """'96 MFLOP', '3.2 TFLOP': a number of floating-point operations."""
    if pd.isna(number):
        return MISSING
    for size, unit in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}FLOP"
    return f"{number:.0f} FLOP"


def percent(fraction: float, digits: int = 1) -> str:
    return MISSING if pd.isna(fraction) else f"{100 * fraction:.{digits}f}"


def _number(value: float, spec: str) -> str:
    return MISSING if pd.isna(value) else format(value, spec)


def _accuracy(row) -> str:
    if row.status == "diverged":
        return "diverged"
    return f"{percent(row.accuracy_mean)} [{percent(row.accuracy_ci_low)}, {percent(row.accuracy_ci_high)}]"


def _seeds(row) -> str:
    return f"{row.seeds} + {row.diverged_seeds} diverged" if row.diverged_seeds else str(row.seeds)


def _flags(row) -> str:
    marks = {
        "r": row.recommended,
        "u": not row.tuned,
        "e": pd.notna(row.at_grid_edge) and row.at_grid_edge,
        "d": row.diverged_seeds > 0,
        "1": row.seeds == 1,
    }
    return " ".join(mark for mark, holds in marks.items() if holds)


COMPARISON: dict[str, Callable] = {
    "Backbone": lambda row: row.backbone,
    "Strategy": lambda row: row.strategy,
    "Flags": _flags,
    "Seeds": _seeds,
    ACCURACY: _accuracy,
    WITH_FLIPS: lambda row: percent(row.tta_accuracy),
    "Macro F1, %": lambda row: percent(row.macro_f1),
    "Worst class, %": lambda row: (
        MISSING if pd.isna(row.worst_class_accuracy) else f"{percent(row.worst_class_accuracy)} ({row.worst_class})"
    ),
    "NLL, nats": lambda row: _number(row.nll, ".3f"),
    "ECE, %": lambda row: percent(row.ece),
    "Training, per run": lambda row: duration(row.train_seconds),
    "Tuning, all trials": lambda row: duration(row.tuning_seconds),
    "Trainable": lambda row: count(row.trainable_params),
    "Peak memory, MB": lambda row: _number(row.peak_memory_mb, ",.0f"),
    "Images/s": lambda row: _number(row.images_per_second, ",.0f"),
}

PAIRWISE: dict[str, Callable] = {
    "Compared": lambda row: {"strategies": "strategies", "recommended": "with recommended"}[row.family],
    "A": lambda row: f"{row.strategy_a} on {row.backbone_a}",
    "B": lambda row: f"{row.strategy_b} on {row.backbone_b}",
    "Seeds": lambda row: f"{row.seeds_a} / {row.seeds_b}",
    "A − B, points [95 % interval]": lambda row: (
        f"{100 * row.difference:+.2f} [{100 * row.ci_low:+.2f}, {100 * row.ci_high:+.2f}]"
    ),
    "Effect size h [95 % interval]": lambda row: (
        f"{row.effect_size:+.2f} [{row.effect_low:+.2f}, {row.effect_high:+.2f}]"
    ),
    "p": lambda row: p_value(row.p),
    "p, Holm": lambda row: p_value(row.p_holm),
    "McNemar p per seed": lambda row: f"{p_value(row.mcnemar_p_lowest)} – {p_value(row.mcnemar_p_highest)}",
}

COST: dict[str, Callable] = {
    "Backbone": lambda row: row.backbone,
    "Strategy": lambda row: row.strategy,
    "Runs": lambda row: str(row.runs),
    "Own loop": lambda row: duration(row.loop_seconds),
    "Features": lambda row: duration(row.feature_seconds),
    "Borrowed probe": lambda row: duration(row.borrowed_seconds),
    "Training, per run": lambda row: duration(row.train_seconds),
    "Tuning, all trials": lambda row: duration(row.tuning_seconds),
    "One model with its tuning": lambda row: duration(row.total_seconds),
    "Images/s": lambda row: _number(row.images_per_second, ",.0f"),
    "Peak memory, MB": lambda row: _number(row.peak_memory_mb, ",.0f"),
    "Training": lambda row: operations(row.train_flops),
    "Tuning": lambda row: operations(row.tuning_flops),
    ENERGY: lambda row: _number(row.energy_wh, ",.3g"),
    "One image": lambda row: operations(row.forward_flops),
    "Latency of 1 / 256, ms": lambda row: f"{row.latency_ms_batch1:.3g} / {row.latency_ms_batch256:.3g}",
    "Network / saved, MB": lambda row: f"{row.model_bytes / 1e6:.3g} / {row.checkpoint_bytes / 1e6:.3g}",
    "Parameters, trainable / all": lambda row: f"{count(row.trainable_params)} / {count(row.total_params)}",
    "Resumes": lambda row: str(row.resumes),
    "Threads": lambda row: row.threads,
    "Device": lambda row: row.device_name,
}


def p_value(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def readable(frame: pd.DataFrame, columns: dict[str, Callable]) -> pd.DataFrame:
    """The frame as text cells: `columns` maps a heading to a function of a row; "Dataset" comes first."""
    rows = [
        {"Dataset": row.dataset, **{heading: show(row) for heading, show in columns.items()}}
        for row in frame.itertuples(index=False)
    ]
    return pd.DataFrame(rows, columns=["Dataset", *columns])


def leaders(frame: pd.DataFrame) -> list[int]:
    """Row numbers of the highest test accuracy of each data set."""
    return [
        int(own["accuracy_mean"].idxmax()) for _, own in frame.groupby("dataset") if own["accuracy_mean"].notna().any()
    ]


def _notes(text: pd.DataFrame) -> list[str]:
    used = {mark for flags in text["Flags"] for mark in flags.split()}
    return [
        "bold: highest test accuracy of its data set",
        *(f"{mark}: {note}" for mark, note in NOTES.items() if mark in used),
        *([FLIPS_NOTE] if WITH_FLIPS in text.columns else []),
    ]


def _page(text: pd.DataFrame, identity: str, title: str, subtitle: str, notes: list[str], bold: list[int] = ()) -> str:
    """A whole HTML page with nothing loaded from elsewhere; the data set is a row group."""
    words = [name for name in ("Backbone", "Strategy", "A", "B", "Compared", "Flags", "Device") if name in text.columns]
    numbers = [name for name in text.columns if name not in (*words, "Dataset")]
    table = (
        # A fixed id: great_tables draws a random one, and equal studies would give different bytes.
        GT(text, groupname_col="Dataset", id=identity)
        .tab_header(title=md(f"**{title}**"), subtitle=subtitle)
        .cols_align("left", columns=words)
        .cols_align("right", columns=numbers)
        .tab_style(style.text(weight="bold"), loc.body(rows=list(bold)))
        .tab_style(style.text(weight="bold"), loc.row_groups())
        .tab_style(style.css("font-variant-numeric: tabular-nums; white-space: nowrap;"), loc.body())
        .tab_options(
            table_font_size="13px",
            data_row_padding="3px",
            heading_align="left",
            source_notes_font_size="12px",
            row_striping_include_table_body=True,
        )
        .opt_row_striping()
    )
    if "Flags" in text.columns:
        table = table.cols_align("center", columns="Flags")
    if notes:
        table = table.tab_source_note(html("<br>".join(note.replace("<", "&lt;") for note in notes)))
    return table.as_raw_html(make_page=True)


def _markdown(text: pd.DataFrame, notes: list[str], bold: list[int]) -> str:
    shown = text.astype(str).replace({r"\|": r"\\|"}, regex=True)
    lines = ["| " + " | ".join(shown.columns) + " |", "|" + "---|" * len(shown.columns)]
    for number, cells in enumerate(shown.to_dict("records")):
        marked = [f"**{cell}**" if number in bold and name in BOLD else cell for name, cell in cells.items()]
        lines.append("| " + " | ".join(marked) + " |")
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]) + "\n"


def _latex(text: pd.DataFrame, notes: list[str], bold: list[int]) -> str:
    """A booktabs tabular (`\\usepackage{booktabs}`), a rule between data sets, the notes as comments above it."""
    lines = [f"% {note}" for note in notes]
    lines += [rf"\begin{{tabular}}{{{'l' * 4}{'r' * (len(text.columns) - 4)}}}", r"\toprule"]
    lines += [" & ".join(escape_latex(heading) for heading in text.columns) + r" \\", r"\midrule"]
    previous = None
    for number, cells in enumerate(text.to_dict("records")):
        if previous not in (None, cells["Dataset"]):
            lines.append(r"\midrule")
        previous = cells["Dataset"]
        escaped = {name: escape_latex(cell) for name, cell in cells.items()}
        if number in bold:
            escaped |= {name: rf"\textbf{{{escaped[name]}}}" for name in BOLD}
        lines.append(" & ".join(escaped.values()) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def comparison_pages(comparison_csv, markdown_out, latex_out, html_out) -> None:
    """Write comparison.{md,tex,html} from comparison.csv: the leader of each data set in bold, flags explained below."""
    frame = read_table(comparison_csv)
    text, bold = readable(frame, COMPARISON), leaders(frame)
    if frame["tta_accuracy"].isna().all():
        text = text.drop(columns=WITH_FLIPS)  # no data set of the study may be mirrored
    notes = [*_notes(text), *([MIXED_NOTE] if mixed_hardware(frame) else [])]
    write_text(markdown_out, _markdown(text, notes, bold))
    write_text(latex_out, _latex(text, notes, bold))
    subtitle = "Means over seeds on the sealed test set; intervals over seeds and test images."
    write_text(html_out, _page(text, "comparison", "Comparison of all cells", subtitle, notes, bold))


def pairwise_page(pairwise_csv, html_out) -> None:
    """Write pairwise.html from pairwise.csv: significant rows (Holm p below 0.05) in bold."""
    frame = read_table(pairwise_csv)
    text = readable(frame, PAIRWISE)
    bold = [int(number) for number in frame.index[frame["p_holm"] < 0.05]]
    notes = [
        "bold: p below 0.05 after Holm's correction within its family (strategies of one backbone, or cells against the "
        "recommended one)",
        "h: Cohen's effect size of two proportions; 0.2 is small, 0.5 medium, 0.8 large",
        "McNemar: lowest and highest of the per-seed tests, descriptive only: it takes no account of seed variance",
    ]
    subtitle = "Crossed random effects of seeds and test images, Satterthwaite t."
    write_text(html_out, _page(text, "pairwise", "Differences of accuracy", subtitle, notes, bold))


def cost_page(cost_csv, runs_csv, html_out) -> None:
    """Write cost.html from cost.csv, with the study's total from runs.csv, where a shared feature file counts once."""
    frame = read_table(cost_csv)
    text = readable(frame, COST)
    if frame["energy_wh"].isna().all():
        text = text.drop(columns=ENERGY)  # the config names no watts
    total = study_total(read_runs(runs_csv))
    notes = [
        f"the whole study took {duration(total['total_seconds'])}: training {duration(total['loop_seconds'])}, tuning "
        f"{duration(total['tuning_seconds'])}, features {duration(total['feature_seconds'])}; each feature file counts once there",
        "training per run = own loop + features + borrowed probe; a diverged run counts in the study's total, not in its cell's mean",
        "operations are those of matrix products and convolutions, a multiply-add as two, counted around one step of the training loop; "
        "training has all steps, validation passes, features and the probe that the cell uses, tuning all trials",
        "latency: median from uint8 images on the device to logits, "
        + "; ".join(sorted({f"{row.latency_device}, {row.latency_threads} threads" for row in frame.itertuples()})),
        *([MIXED_NOTE] if mixed_hardware(frame) else []),
    ]
    subtitle = "What one model of each cell costs: shared work is charged in full to each cell that uses it."
    write_text(html_out, _page(text, "cost", "Cost of all cells", subtitle, notes))
