"""Class names in figures: $ is a letter, long names are shortened, letters that the font lacks are left to the browser."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ftbench.report.classes.per_class_figure import MOST, per_class
from ftbench.report.data.audit_figure import audit
from ftbench.report.data.montage_figure import montage
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


LONG = "a species of beetle that lives under the bark of old oaks"


def picture_files(folder, classes, each=2):
    """images.npy, labels.npy, classes.json and split.npz of `each` images per class, one more of every later one."""
    labels = np.repeat(np.arange(len(classes)), each + np.arange(len(classes)))
    np.save(folder / "images.npy", np.zeros((len(labels), 4, 4, 3), np.uint8))
    np.save(folder / "labels.npy", labels)
    (folder / "classes.json").write_text(json.dumps(list(classes)))
    np.savez(folder / "split.npz", train=np.arange(len(labels)), validation=np.arange(0))
    return [folder / name for name in ("images.npy", "labels.npy", "classes.json", "split.npz")]


def test_the_montage_copes_with_any_names(tmp_path):
    montage(*picture_files(tmp_path, [LONG, LONG.replace("oaks", "elms"), "$1", "猫"]), "d", tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert all(name in text for name in ("old oaks", "old elms", "$1", "猫")) and LONG not in text


def test_the_montage_of_very_many_classes_shows_those_with_most_and_fewest_images(tmp_path):
    classes = [f"c{number:03}" for number in range(300)]
    montage(*picture_files(tmp_path, classes), "d", tmp_path / "figure.svg", per_class=1)
    text = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert "50 classes with the most images" in re.sub(
        r" -->.*?<!-- ", " ", text, flags=re.DOTALL
    )  # over ends of lines
    assert [name for name in classes if f"<!-- {name} -->" in text] == classes[:50] + classes[-50:]


def test_the_audit_copes_with_any_names_and_says_contradictions_first(tmp_path):
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((4, 4, 4, 3), np.uint8))
    pair = {
        "pair": "test and training",
        "row_a": 0,
        "part_a": "test",
        "label_a": LONG,
        "row_b": 1,
        "part_b": "validation",
    }
    pairs = [pair | {"label_b": LONG.replace("oaks", "elms"), "similarity": 1.0, "exact": True}]
    pd.DataFrame(pairs).to_csv(tmp_path / "pairs.csv", index=False)
    issue = {"part": "test", "row": 2, "label": "$1", "suggested": "猫", "label_probability": 0.1}
    pd.DataFrame([issue]).to_csv(tmp_path / "issues.csv", index=False)
    (tmp_path / "audit.json").write_text('{"odd": [], "test_images_with_a_training_duplicate": 1}')
    given = [tmp_path / name for name in ("pairs.csv", "issues.csv", "audit.json")]
    audit(*given, images, images, "d", tmp_path / "figure.svg")
    text = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    said = [
        text.find(words)
        for words in ("1 pairs of equal images of d have different labels", "near duplicate", "ld oaks", "ld elms")
    ]
    assert min(said) > 0 and said[0] < said[1] and "猫?" in text and "label: $1" in text and LONG not in text
