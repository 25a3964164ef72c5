"""Class names in figures: $ is a letter, long names are shortened, letters that the font lacks are left to the browser."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ftbench.report.classes.per_class_figure import MOST, per_class
from ftbench.report.layout.names import LONGEST, shortened, undrawable
from ftbench.report.layout.style import save, style, title
from ftbench.report.protocol.tuning_figure import _ticks


def drawn(folder, *names):
    with style():
        figure = Figure(layout="constrained")
        panel = figure.subplots()
        panel.set_xticks(range(len(names)), names)
        title(figure, f"{names[0]} is most often taken for {names[-1]}")
        save(figure, folder / "figure.svg")
    return (folder / "figure.svg").read_text(encoding="utf-8")


def recalls(folder, classes):
    frame = pd.DataFrame({"dataset": "d", "backbone": "b", "strategy": "s", "class": classes})
    frame["recall"] = np.linspace(0, 1, len(classes))
    frame.to_csv(folder / "t.csv", index=False)
    per_class(folder / "t.csv", "d", folder / "figure.svg")
    return (folder / "figure.svg").read_text(encoding="utf-8")


def test_dollars_are_no_mathematics(tmp_path):
    text = drawn(tmp_path, "$1", r"$\frac$", "$5 to $10")
    for name in ("$1", r"$\frac$", "$5 to $10"):
        assert f"<!-- {name} -->" in text


def test_a_logarithmic_axis_names_its_ticks_without_mathematics(tmp_path):
    with style():
        figure = Figure()
        panel = figure.subplots()
        panel.set(xscale="log", xlim=(1e-5, 1))
        _ticks(panel, {10.0**-power for power in range(6)})
        save(figure, tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text()
    assert "<!-- 0.001 -->" in text and "mathdefault" not in text


@pytest.mark.parametrize("names", [("猫", "犬"), ("แมว", "หมา"), ("قط", "كلب"), ("חתול", "כלב")])
def test_letters_that_the_font_cannot_draw_are_text_for_the_browser(tmp_path, capsys, names):
    text = drawn(tmp_path, *names)
    assert all(f">{name}</text>" in text for name in names)
    assert "cannot draw" in capsys.readouterr().out and text == drawn(tmp_path, *names)


def test_letters_of_the_font_stay_outlines(tmp_path, capsys):
    assert "<text" not in drawn(tmp_path, "Äpfel", "кошка", "γάτα")
    assert capsys.readouterr().out == "" and undrawable(["a\n"], "DejaVu Sans") == ""


def test_long_names_keep_both_ends_and_stay_different():
    names = ["Corn_(maize)___Cercospora_leaf_spot Gray_leaf_spot", "Corn_(maize)___Northern_Leaf_Blight", "short"]
    short = shortened(names)
    assert max(map(len, short)) == LONGEST and short[2] == "short"
    assert all(one[:10] == name[:10] and one[-10:] == name[-10:] for one, name in zip(short, names))
    assert shortened(names[:1], 16) == ["Corn_(m…eaf_spot"]
    middle = [f"{'a' * 30}{number}{'z' * 30}" for number in range(3)]
    assert len(set(shortened(middle))) == 3


def test_a_thousand_classes_are_the_hardest_of_them(tmp_path):
    text = recalls(tmp_path, [f"class{number}" for number in range(1000)])
    assert f"Drawn are the {MOST} hardest of 1000 classes" in text.replace(" -->", "").replace("\n", " ")
    assert "<!-- class0 -->" in text and f"<!-- class{MOST} -->" not in text
    assert "class0 is the hardest class of d" in text
