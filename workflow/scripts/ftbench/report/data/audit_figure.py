"""What the audit marked, to judge by eye: test images beside their training duplicates, and labels that look mistaken."""

import pandas as pd

from ftbench.base.csv_text import plain
from ftbench.base.pixel_rows import PixelRows
from ftbench.report.layout.names import shortened
from ftbench.report.layout.pictures import thumbnail
from ftbench.report.layout.style import blank, message, panels, save, style, title

SHOWN = 8  # of each kind
COLUMNS = 8
CAPTION = 14  # characters of a class's name at an image, after what the name is of
MISTAKEN = "#B34700"


def audit(pairs_csv, issues_csv, images_path, test_images_path, dataset: str, out) -> None:
    """Draw the closest pairs of a test and a training image, and the test labels that the probe believes least.

    `pairs_csv` and `issues_csv` are those of `ftbench.measure.audit`; the images are (N, H, W, 3) uint8 arrays that their rows point into.
    """
    pairs = plain(pd.read_csv(pairs_csv, dtype={"label_a": "str", "label_b": "str"}, keep_default_na=False))
    issues = plain(pd.read_csv(issues_csv, dtype={"label": "str", "suggested": "str"}, keep_default_na=False))
    leaks = pairs[pairs["pair"] == "test and training"].sort_values("similarity", ascending=False, kind="stable")
    suspects = issues[issues["part"] == "test"]
    wrong = _contradictions(pairs, dataset)
    if leaks.empty and suspects.empty:
        detail = "No test image has a near duplicate in training, and no test label is suspected."
        message(wrong or f"The audit marked no test image of {dataset}", detail, out)
        return
    images, test_images = (PixelRows(path) for path in (images_path, test_images_path))
    shown, doubtful = list(leaks.head(SHOWN).itertuples()), list(suspects.head(SHOWN).itertuples())
    names = sorted({*pairs["label_a"], *pairs["label_b"], *issues["label"], *issues["suggested"]})
    short = dict(zip(names, shortened(names, CAPTION)))
    cells = [(test_images[row.row_a], f"test: {short[row.label_a]}", f"{row.similarity:.3f}", None) for row in shown]
    cells += [None] * (COLUMNS - len(cells) if cells else 0)
    cells += [(images[row.row_b], short[row.label_b], row.part_b, None) for row in shown]
    cells += [None] * (-len(cells) % COLUMNS)
    cells += [
        (test_images[row.row], f"label: {short[row.label]}", f"{short[row.suggested]}?", MISTAKEN) for row in doubtful
    ]
    with style():
        figure, axes = panels(len(cells), 1.3, 1.62, columns=COLUMNS)
        for panel, cell in zip(axes, cells):
            blank(panel)
            if cell is None:
                panel.set_visible(False)
                continue
            image, below, above, colour = cell
            panel.imshow(thumbnail(image))
            panel.set_xlabel(below, fontsize=7.5, labelpad=2)
            panel.set_title(above, fontsize=8, loc="center", pad=3, color=colour or "#222222")
        finding = f"{len(leaks):,} test images of {dataset} have a near duplicate in training; {len(suspects):,} test labels are suspected"
        detail = [f"{finding}."] if wrong else []
        if shown:
            detail.append(
                f"First row: the {len(shown)} closest test images, with their similarity; below each its training image, with its part."
            )
        if doubtful:
            detail.append(
                f"Last row: the {len(doubtful)} test labels that the linear probe believes least, and what it would say."
            )
        title(figure, wrong or finding, " ".join(detail))
        save(figure, out)


def _contradictions(pairs: pd.DataFrame, dataset: str) -> str:
    """What to say of equal images with different labels, "" if there are none."""
    count = int((pairs["exact"].astype(bool) & (pairs["label_a"] != pairs["label_b"])).sum())
    return (
        f"{count:,} pairs of equal images of {dataset} have different labels: at least one of each is wrong"
        if count
        else ""
    )
