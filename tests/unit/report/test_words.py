"""What is said of differences is a function of the numbers: every sentence with the numbers that bring it about."""

import pandas as pd
import pytest

from ftbench.report.layout import words

CHOICE = {"margin": 0.01, "cheapest_why": words.SHOWN, "seeds_needed": float("nan"), "seeds_needed_for": None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "a: at least as good within 1 point"),
        ({"margin": 0.005}, "a: at least as good within 0.5 points"),
        ({"cheapest_why": words.ITSELF}, "a, the best itself: no other that finished as many seeds costs less"),
        (
            {"cheapest_why": words.WORSE},
            "a, the best itself: every cheaper one measured more than 1 point below it, which need not be real",
        ),
        ({"cheapest_why": words.UNTESTED}, "cannot be said yet: one seed says nothing of a recipe"),
        (
            {"cheapest_why": words.OPEN, "seeds_needed": 7.0, "seeds_needed_for": "b"},
            "none can be named yet: about 7 seeds would show b within 1 point",
        ),
        (
            {"cheapest_why": words.OPEN},
            "none can be named yet: within 1 point no number of seeds would show it on these test images",
        ),
    ],
)
def test_the_cheapest(changes, said):
    assert words.cheapest_said(pd.Series(CHOICE | changes), "a") == said


def top(*p) -> str:
    """Of a cell t at 90 % and others below it, whose differences to it have these p values."""
    cells = [("t", 0.9), *((f"o{number}", 0.8) for number in range(len(p)))]
    frame = pd.DataFrame(cells, columns=["strategy", "accuracy_mean"]).assign(
        backbone="b", accuracy_ci_low=0.85, accuracy_ci_high=0.94
    )
    rows = [{"strategy_a": f"o{n}", "strategy_b": "t", "p": value} for n, value in enumerate(p)]
    columns = ["strategy_a", "strategy_b", "backbone_a", "backbone_b", "p"]
    return words.top_said(frame, pd.DataFrame(rows, columns=columns).fillna({"backbone_a": "b", "backbone_b": "b"}))


def test_a_cell_leads_only_where_every_other_is_told_apart():
    numbers = "90.0 % [85.0, 94.0]"
    assert top(0.01, 0.001) == f"t on b leads: {numbers}"
    assert top(0.04, 0.04) == f"t on b has the highest mean, {numbers}; 2 cells of 2 are not told apart from it"
    assert top(0.5, 0.001) == f"t on b has the highest mean, {numbers}; 1 cell of 2 is not told apart from it"
    assert top(None, 0.001).endswith("1 cell cannot be compared with it yet (one seed)")
    assert top() == f"t on b: {numbers}"


def test_policies_differ_where_their_test_says_so():
    frame = pd.DataFrame({"gain": [None, 0.1, 0.2], "p_holm": [None, 0.01, 0.05]})
    assert words.gains_said(frame) == "; 1 of 2 policies is told apart from the first"
    assert words.gains_said(frame.assign(p_holm=float("nan"))) == "; they cannot be compared yet (one seed)"
    assert words.gains_said(frame[:1]) == ""
