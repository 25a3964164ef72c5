"""The columns of scores in the pages, made from the rows of `ftbench.evaluate.metrics.SCORES`."""

from collections.abc import Iterable

from ftbench.evaluate.metrics import SCORES, Score
from ftbench.report.layout.columns import Column
from ftbench.report.layout.formats import number

PARTS_OF_ONE = ("%", "points")  # units that show a fraction times 100


def heading_of(score: Score) -> str:
    return f"{score.heading}, {score.unit}" if score.unit else score.heading


def column_of(score: Score) -> Column:
    factor = 100 if score.unit in PARTS_OF_ONE else 1
    return Column(lambda row: number(factor * getattr(row, score.name), score.spec), score.name)


def named_scores(names: Iterable[str]) -> dict[str, Column]:
    """{heading: column} of the scores with these names, in this order."""
    rows = {score.name: score for score in SCORES}
    return {heading_of(rows[name]): column_of(rows[name]) for name in names}


def scores_of_page(page: str) -> dict[str, Column]:
    """{heading: column} of the scores that a page shows ("comparison" or "calibration"), by the places that their rows give."""
    shown = sorted((score for score in SCORES if getattr(score, page)), key=lambda score: getattr(score, page))
    return named_scores(score.name for score in shown)
