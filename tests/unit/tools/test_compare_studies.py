"""`ftbench compare`: two small studies of random logits, the second with other test images among the first's."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from unit.synthetic import write_study

from ftbench.base.errors import InputError
from ftbench.tools import command_line
from ftbench.tools.compare_studies import COLUMNS, compare_studies, verdict


def finished(root):
    study = write_study(
        root,
        images=80,
        backbones=("lite0",),
        strategies=("linear_probe", "finetune"),
        seeds=(0, 1),
        diverged_cell=False,
    )
    for data in study["data"].values():
        (data / "test_files.csv").write_text("id,file\n" + "".join(f"{k},{k}.png\n" for k in range(80)))
        np.save(data / "test_groups.npy", np.arange(80))
        (data / "audit").mkdir()
        (data / "audit" / "duplicates.csv").write_text("pair,row_a,row_b\n")
    return root


@pytest.fixture
def studies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return finished(tmp_path / "results" / "may"), finished(tmp_path / "results" / "june")


def shuffled(root, kept=60) -> None:
    """The test images of a study in another order, some of them other pictures; what was answered stays with its picture."""
    data, order = root / "data" / "shapes", np.random.default_rng(3).permutation(80)
    images = np.load(data / "test_images.npy")[order]
    images[np.argsort(order)[kept:]] ^= 1
    np.save(data / "test_images.npy", images)
    np.save(data / "test_labels.npy", np.load(data / "test_labels.npy")[order])
    for path in root.glob("runs/*/*/*/*/test_logits.npz"):
        saved = dict(np.load(path))
        np.savez(path, logits=saved["logits"][order], labels=saved["labels"][order], ids=np.arange(80))


def test_a_study_and_itself_do_not_differ(studies):
    table, notes = compare_studies("may", "june")
    assert list(table) == COLUMNS and len(table) == 2 and table["difference"].eq(0).all()
    assert set(table["verdict"]) == {"not told apart"} and notes[-1].startswith("shapes: 80 test images are in both")


def test_images_are_matched_wherever_they_lie_and_their_number_is_said(studies):
    shuffled(studies[1])
    table, notes = compare_studies("may", "june")
    assert table["images"].eq(60).all() and table["difference"].eq(0).all()
    assert "60 test images are in both (matched by pixels), of 80 in A and 80 in B" in notes[-1]


def test_images_stored_at_another_size_are_matched_by_their_files_and_relabelled_ones_are_left_out(studies):
    data = studies[1] / "data" / "shapes"
    np.save(data / "test_images.npy", np.load(data / "test_images.npy")[:, ::2, ::2])
    labels = np.load(data / "test_labels.npy")
    labels[:5] = (labels[:5] + 1) % 4
    np.save(data / "test_labels.npy", labels)
    table, notes = compare_studies("may", "june")
    assert table["images"].eq(75).all() and "matched by files" in notes[-1] and "5 more have another label" in notes[-1]


def test_a_better_study_is_told_apart_and_a_renamed_cell_is_found(studies):
    (studies[1] / "runs/shapes/lite0/finetune").rename(studies[1] / "runs/shapes/lite0/longer")
    for path in studies[1].glob("runs/shapes/lite0/longer/*/test_logits.npz"):
        saved = dict(np.load(path))
        np.savez(path, **saved | {"logits": 9 * np.eye(4, dtype=np.float32)[saved["labels"]]})
    table, notes = compare_studies("may", "june")
    assert len(table) == 1 and "only in A: shapes / lite0 / finetune" in notes[0]
    table, _ = compare_studies("may", "june", ["finetune=longer"])
    row = table.set_index("strategy_b").loc["longer"]
    assert row["verdict"] == "B is better" and 0 < row["ci_low"] < row["difference"] < row["ci_high"]
    back = compare_studies("june", "may", ["longer=finetune"])[0].set_index("strategy").loc["longer"]
    assert back["difference"] == pytest.approx(-row["difference"]) and back["verdict"] == "B is worse"
    assert verdict(0.2, float("nan")).startswith("cannot be compared yet")


def test_groups_of_either_study_hold_images_together(studies):
    np.save(studies[0] / "data/shapes/test_groups.npy", np.arange(80) // 2)
    np.save(studies[1] / "data/shapes/test_groups.npy", np.arange(80) // 40)
    assert compare_studies("may", "june")[0]["groups"].unique().tolist() == [2]


def test_what_cannot_be_compared_is_one_sentence(studies):
    data = studies[1] / "data" / "shapes"
    np.save(data / "test_images.npy", np.load(data / "test_images.npy") ^ 1)
    with pytest.raises(
        InputError, match=r"^may and june cannot be compared: shapes: 0 test images are in both \(matched by pixels"
    ):
        compare_studies("may", "june", by="pixels")
    for given, said in (("finetune", "must be NAME_A=NAME_B"), ("shapes=other", "No cell of may is also in june")):
        with pytest.raises(InputError, match=said):
            compare_studies("may", "june", [given])
    with pytest.raises(InputError, match="STUDY_B: july is no folder.*june"):
        compare_studies("may", "july")


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_the_command_prints_each_form(studies, capsys, form):
    assert command_line.main(["compare", "may", "june", "--format", form]) == 0
    out, err = capsys.readouterr()
    if form == "json":
        assert len(json.loads(out)["cells"]) == 2 and "80 test images" in json.loads(out)["notes"][-1]
    elif form == "csv":
        assert out.splitlines()[0] == ",".join(COLUMNS) and "80 test images" in err
        assert len(pd.read_csv(io.StringIO(out))) == 2
    else:
        assert "shapes / lite0 / finetune" in out and "not told apart" in out and "- shapes: 80 test images" in out
