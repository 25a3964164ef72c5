"""Tables, figure and sentences of slices, from a study made of random logits."""

import numpy as np
import pandas as pd
import pytest
from unit.synthetic import evaluate_study, write_study

from ftbench.base.csv_text import guarded
from ftbench.base.files import write_json
from ftbench.report.classes.slices_figure import slices
from ftbench.report.classes.slices_table import gap_said, slice_pages, slice_tables, worse, worse_said
from ftbench.report.layout.frames import read_table
from ftbench.report.summary import failings

NOTE = "age is left out."


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Images of slice "=dark" are as hard as can be: three of four answers there are spoilt in every run."""
    root = tmp_path_factory.mktemp("slices")
    study = write_study(root)
    site = np.where(np.arange(200) % 5 == 0, "=dark", np.where(np.arange(200) < 8, "tiny", "light"))
    for entry in study["runs"]:
        saved = dict(np.load(entry["test_logits"]))
        spoilt = (np.arange(200) % 5 == 0) & (np.arange(200) % 4 > 0)
        saved["logits"][spoilt] = -saved["logits"][spoilt]
        np.savez(entry["test_logits"], **saved)
    tables = evaluate_study(study, root / "tables")
    data = study["data"]["shapes"]
    guarded(pd.DataFrame({"id": range(200), "site": site})).to_csv(data / "test_slices.csv", index=False)
    write_json(data / "test_slices.json", {"age": NOTE})
    np.save(data / "test_groups.npy", np.arange(200))
    (data / "duplicates.csv").write_text("pair,row_a,row_b\n")
    files = [data / name for name in ("test_slices.csv", "test_slices.json", "test_groups.npy", "duplicates.csv")]
    out = root / "tables" / "slices.csv", root / "tables" / "slice_gaps.csv"
    notes = slice_tables(study["runs"], tables["cells"], [("shapes", *files)], *out)
    return root, out, notes


def test_every_finished_cell_has_every_slice_and_the_recommended_one_alone_is_tested(made):
    _, (slices_csv, gaps_csv), notes = made
    frame, gaps = read_table(slices_csv), read_table(gaps_csv)
    assert frame.groupby(["backbone", "strategy"]).size().eq(3).all() and len(gaps) == len(frame) / 3
    assert set(frame["slice"]) == {"=dark", "light", "tiny"} and notes == [f"shapes: {NOTE}"]
    assert frame[~frame["recommended"].astype(bool)]["p_holm"].isna().all()
    own = frame[frame["recommended"].astype(bool)].set_index("slice")
    assert own.loc["=dark", "p_holm"] < 0.001 and pd.isna(own.loc["tiny", "p_holm"]) and own.loc["tiny", "small"]


def test_what_is_said_is_what_the_numbers_say(made):
    _, (slices_csv, gaps_csv), _ = made
    frame = read_table(slices_csv).query("recommended")
    (row,) = worse(frame).itertuples()
    said = worse_said(row)
    assert "with site = =dark it is right on" in said and "of 40 images" in said and "classes are harder" not in said
    assert "classes are harder" in worse_said(row._replace(expected=row.accuracy))
    (gap,) = read_table(gaps_csv).query("recommended").itertuples()
    assert gap_said(gap).startswith("by site the best slice (light) and the worst (=dark) lie ")
    assert "chance" not in gap_said(gap) and "may be chance" in gap_said(gap._replace(gap_low=-0.01))
    assert "one seed says nothing" in gap_said(gap._replace(of_recipe=False))
    assert "no gap can be named" in gap_said(gap._replace(gap=float("nan")))


def test_the_summary_names_worse_slices_gaps_and_those_too_small_to_say(made):
    _, (slices_csv, gaps_csv), _ = made

    class Given:
        slices, gaps = (read_table(path).query("recommended") for path in (slices_csv, gaps_csv))

    said = [one.text for one in failings.slices(Given)]
    assert said[0].startswith("With site = =dark it is right on") and said[1].startswith("By site the best slice")
    assert said[2] == "Too small to say: site = tiny (6) is shown and not tested."
    Given.slices = Given.slices.assign(p_holm=0.5)
    assert failings.slices(Given)[0].text == "No test tells any of 2 slices from the rest as worse."
    Given.slices = Given.slices.assign(p_holm=float("nan"))
    assert failings.slices(Given)[0].text.startswith("One seed says nothing of a recipe")


def test_pages_and_figure_show_them(made):
    root, (slices_csv, gaps_csv), notes = made
    forms = [{name: root / f"{kind}.{name}" for name in ("html", "markdown", "latex")} for kind in ("s", "g")]
    slice_pages(slices_csv, gaps_csv, notes, *forms)
    assert NOTE in forms[0]["markdown"].read_text() and "recommended cell: by site" in forms[1]["markdown"].read_text()
    slices(slices_csv, gaps_csv, "shapes", root / "shapes.slices.svg")
    slices(slices_csv, gaps_csv, "other", root / "other.slices.svg")
    assert (root / "shapes.slices.svg").read_text().count("<svg") == 1
