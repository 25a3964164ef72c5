"""What the audit marked, to judge by eye: pairs of duplicates, labels that look mistaken, odd images."""

import pandas as pd

from ftbench.base.csv_text import plain
from ftbench.base.files import read_json
from ftbench.base.pixel_rows import PixelRows
from ftbench.report.layout.names import shortened
from ftbench.report.layout.pictures import thumbnail
from ftbench.report.layout.style import blank, message, panels, save, style, title

SHOWN = 8  # of each kind
COLUMNS = 8
CAPTION = 14  # characters of a class's name at an image, after what the name is of
MISTAKEN = "#B34700"


def audit(pairs_csv, issues_csv, summary, images_path, test_images_path, dataset: str, out) -> None:
    """Draw pairs of duplicates, the labels that the probe believes least, and odd images: a few of each.

    `pairs_csv`, `issues_csv` and `summary` (audit.json) are those of `ftbench.measure.audit`; the images are (N, H, W, 3) uint8 arrays
    that their rows point into.
    """
    pairs = plain(pd.read_csv(pairs_csv, dtype={"label_a": "str", "label_b": "str"}, keep_default_na=False))
    issues = plain(pd.read_csv(issues_csv, dtype={"label": "str", "suggested": "str"}, keep_default_na=False))
    about = read_json(summary)
    wrong = _contradictions(pairs, dataset)
    if pairs.empty and issues.empty and not about["odd"]:
        detail = "No image has a near duplicate, no label is suspected, and no image is blank, dark, over-exposed or blurred."
        message(wrong or f"The audit marked no image of {dataset}", detail, out)
        return
    images, test_images = PixelRows(images_path), PixelRows(test_images_path)
    stored = {"train": images, "validation": images, "test": test_images}
    named = {*pairs["label_a"], *pairs["label_b"], *issues["label"], *issues["suggested"]}
    names = sorted(named | {image["label"] for image in about["odd"]})
    short = dict(zip(names, shortened(names, CAPTION)))
    rows = _pair_rows(pairs, stored, short) + _label_rows(issues, stored, short) + _odd_row(about["odd"], stored, short)
    cells = [cell for _, row in rows for cell in row + [None] * (-len(row) % COLUMNS)]
    finding = (
        f"{about['test_images_with_a_training_duplicate']:,} test images of {dataset} have a near duplicate in training; "
        f"{(issues['part'] == 'test').sum():,} test labels are suspected"
    )
    detail = [f"{finding}."] * bool(wrong) + [f"Rows: {'; '.join(told for told, _ in rows if told)}."]
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
        title(figure, wrong or finding, " ".join(detail))
        save(figure, out)


def _pair_rows(pairs: pd.DataFrame, stored: dict, short: dict) -> list[tuple[str, list]]:
    """Two rows for each kind of pair, the one image above the other, the least alike first: those are to be judged."""
    rows = []
    for kind in ("test and training", "inside training", "inside test"):
        own = pairs[pairs["pair"] == kind].sort_values("similarity", kind="stable").head(SHOWN)
        shown = list(own.itertuples())
        if shown:
            rows.append(
                (
                    f"pairs {kind}, the least alike first, the one above the other",
                    [
                        (
                            stored[row.part_a][row.row_a],
                            f"{row.part_a}: {short[row.label_a]}",
                            f"{row.similarity:.3f}",
                            None,
                        )
                        for row in shown
                    ],
                )
            )
            rows.append(("", [(stored[row.part_b][row.row_b], short[row.label_b], row.part_b, None) for row in shown]))
    return rows


def _label_rows(issues: pd.DataFrame, stored: dict, short: dict) -> list[tuple[str, list]]:
    rows = []
    for told, parts in (("test labels", ["test"]), ("training labels", ["train", "validation"])):
        own = issues[issues["part"].isin(parts)].sort_values("label_probability", kind="stable").head(SHOWN)
        cells = [
            (stored[row.part][row.row], f"label: {short[row.label]}", f"{short[row.suggested]}?", MISTAKEN)
            for row in own.itertuples()
        ]
        rows += [(f"the {told} that the probe believes least, and what it would say", cells)] * bool(cells)
    return rows


def _odd_row(odd: list[dict], stored: dict, short: dict) -> list[tuple[str, list]]:
    cells = [
        (stored[image["part"]][image["row"]], f"{image['part']}: {short[image['label']]}", image["odd"], None)
        for image in odd[:SHOWN]
    ]
    return [("odd images", cells)] * bool(cells)


def _contradictions(pairs: pd.DataFrame, dataset: str) -> str:
    """What to say of equal images with different labels, "" if there are none."""
    count = int((pairs["exact"].astype(bool) & (pairs["label_a"] != pairs["label_b"])).sum())
    return (
        f"{count:,} pairs of equal images of {dataset} have different labels: at least one of each is wrong"
        if count
        else ""
    )
