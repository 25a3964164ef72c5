"""The table of training sizes: the same cells on few and on more images of one data set, and what pretrained weights gain at each size."""

import pandas as pd

from ftbench.base.files import read_json
from ftbench.evaluate.cells import CELL, recommended_cell
from ftbench.report.layout.columns import ACCURACY, ACCURACY_COLUMN, Column, as_number, as_plain, as_text
from ftbench.report.layout.formats import MISSING, capital, points
from ftbench.report.layout.frames import from_outside, read_table, write_csv
from ftbench.report.layout.pages import publish

COLUMNS = ["family", *CELL, "images_per_class", "start", "seeds", "recommended", "validation_score", "accuracy_mean"]
COLUMNS += ["accuracy_ci_low", "accuracy_ci_high", "against", "gain", "gain_low", "gain_high"]
RANDOM, PRETRAINED = "random", "pretrained"
PAGE = {
    "Dataset": as_text("family"),
    "Images per class": as_number("images_per_class"),
    "Backbone": as_text("backbone"),
    "Strategy": as_text("strategy"),
    "Starts from": as_plain("start"),
    ACCURACY: ACCURACY_COLUMN,
    "Gain over random weights, points": Column(
        lambda row: MISSING if pd.isna(row.gain) else points(row.gain, row.gain_low, row.gain_high), "gain"
    ),
    "Random weights of": as_plain("against"),
}


def training_size_table(
    comparison_csv, cells_csv, differences_csv, members: list[dict], random: list[dict], out
) -> None:
    """Write training_size.csv, `COLUMNS`: a row per cell of the data sets that are limits of one, by family and size.

    `members` holds {"family", "dataset", "limit", "about": path of train.json}; `random` lists {dataset, backbone, strategy} of the
    cells that start from random weights. images_per_class is the mean over classes, training and validation together. gain is the
    accuracy minus that of `against`, the cell from random weights with the best validation score at this size, with the interval of
    differences.csv, as fractions; predictions from outside are in no row; missing for cells from random weights, and where there is none or one of the two did not finish.
    """
    comparison = read_table(comparison_csv).merge(
        read_table(cells_csv)[[*CELL, "validation_score", "validation_nll"]], on=CELL
    )
    outside = comparison["kind"].map(from_outside)
    for row in comparison[outside].itertuples():
        print(
            f"without {row.strategy} on {row.backbone} ({row.dataset}): given from outside, whatever it was trained on"
        )
    comparison = comparison[~outside]
    differences = read_table(differences_csv)
    from_random = {tuple(cell[label] for label in CELL) for cell in random}
    rows = []
    for member in members:
        own = comparison[comparison["dataset"] == member["dataset"]]
        starts = [RANDOM if tuple(key) in from_random else PRETRAINED for key in own[CELL].to_numpy()]
        own = own.assign(start=starts, family=member["family"], images_per_class=images_per_class(member))
        rival = best_by_validation(own[own["start"] == RANDOM])
        rows += [row.to_dict() | _gain(row, rival, differences) for _, row in own.iterrows()]
    write_csv(pd.DataFrame(rows, columns=COLUMNS), out)


def images_per_class(member: dict) -> float:
    """Images per class that a data set's limit leaves, the mean over classes: a class may have fewer."""
    counts = list(read_json(member["about"])["per_class"].values())
    limit = member["limit"]
    return sum(count if limit is None else min(count, limit) for count in counts) / len(counts)


def best_by_validation(cells: pd.DataFrame) -> pd.Series | None:
    """The row with the best validation score, as a study chooses; None if nothing finished."""
    finished = cells[cells["accuracy_mean"].notna()]
    scores = {
        number: {
            "validation": row["validation_score"],
            "nll": row.get("validation_nll", 0),
            "diverged": row.get("diverged_seeds", 0),
        }
        for number, row in finished.iterrows()
    }
    best = recommended_cell(scores)
    return None if best is None else finished.loc[best]


def _gain(row: pd.Series, rival: pd.Series | None, differences: pd.DataFrame) -> dict:
    gain = dict.fromkeys(("against", "gain", "gain_low", "gain_high"))
    if rival is None or row["start"] == RANDOM:
        return gain
    here = differences[differences["dataset"] == row["dataset"]]
    for a, b, sign in ((row, rival, 1), (rival, row, -1)):
        found = here
        for side, cell in (("a", a), ("b", b)):
            found = found[
                (found[f"backbone_{side}"] == cell["backbone"]) & (found[f"strategy_{side}"] == cell["strategy"])
            ]
        if len(found):
            low, high = sorted(sign * found.iloc[0][end] for end in ("ci_low", "ci_high"))
            against = f"{rival['strategy']} on {rival['backbone']}"
            return {"against": against, "gain": sign * found.iloc[0]["difference"], "gain_low": low, "gain_high": high}
    return gain


def training_size_pages(table_csv, out: dict) -> None:
    """Write training_size.csv for readers, in the formats of `out`."""
    notes = [
        "images per class: training and validation together; a smaller size's images are among those of the larger",
        "gain over random weights: against the cell from random weights with the best validation score at the same size, on the same test images",
    ]
    subtitle = "The same cells on few and on more images of one data set; its test images are the same at every size."
    publish(read_table(table_csv), PAGE, out, "Accuracy against images per class", subtitle, notes)


def finding(frame: pd.DataFrame) -> str:
    """What more images change, in one sentence, from the rows of one family."""
    sizes = sorted(frame["images_per_class"].unique())
    said = []
    for size in (sizes[0], sizes[-1]):
        best = best_by_validation(frame[(frame["images_per_class"] == size) & (frame["start"] == PRETRAINED)])
        if best is not None and pd.notna(best["gain"]):
            gain = points(best["gain"], best["gain_low"], best["gain_high"])
            said.append(f"at {size:g} images per class pretrained weights change accuracy by {gain} points")
    if len(said) == 2:
        return f"{capital(said[0])}, {said[1].replace(' images per class pretrained weights change accuracy', '')}"
    ends = [best_by_validation(frame[frame["images_per_class"] == size]) for size in (sizes[0], sizes[-1])]
    if None in [None if end is None else 1 for end in ends]:
        return "Not every size has a finished cell"
    return (
        f"The best on validation reaches {100 * ends[0]['accuracy_mean']:.1f} % with {sizes[0]:g} images per class and "
        f"{100 * ends[1]['accuracy_mean']:.1f} % with {sizes[-1]:g}"
    )
