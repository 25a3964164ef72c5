"""Runs of every kind, taken out of a study: proven on the original files, run without this project, asked beside the run itself."""

import base64
import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from photos_study import Study, forget
from PIL import Image

from ftbench.base.errors import InputError
from ftbench.base.files import read_json
from ftbench.export import finished, models, package, parity
from ftbench.tools import command_line

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
KINDS = ("scratch", "lora", "linear_probe", "knn")
DTYPES = {"scratch": "bfloat16", "lora": "int8"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = Study(tmp_path_factory.mktemp("study"))
    made.runs = {kind: made.train(kind) for kind in KINDS}
    made.recommend("linear_probe")
    return made


@pytest.fixture(scope="module")
def exported(study, tmp_path_factory):
    """{kind: folder}."""
    place = tmp_path_factory.mktemp("exported")
    for kind in KINDS:
        given = kind == "scratch"  # its training images too
        package.export(finished.Finished(study.runs[kind]), place / kind, DTYPES.get(kind, "float32"), given)
    return {kind: place / kind for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_test_image_gets_the_studys_class_from_its_own_file(exported, kind):
    proof = read_json(exported[kind] / "parity.json")
    assert proof["same_top1"] == 1 and proof["images"] == proof["from_original_files"] == 30
    assert proof["largest_difference"] < 1e-4 and proof["pixels_unlike_stored"] == 0 and proof["why_stored"] is None
    assert proof["compared_with"] == "the study's saved test logits"
    forms = {form["dtype"]: form for form in proof["forms"]}
    assert list(forms) == list(dict.fromkeys(["float32", DTYPES.get(kind, "float32")]))
    if kind in DTYPES:
        smaller = forms[DTYPES[kind]]
        assert smaller["ci_low"] <= smaller["difference"] <= smaller["ci_high"] and smaller["largest_difference"] < 0.2
        assert smaller["bytes"] < forms["float32"]["bytes"]
    assert all(form["latency_ms_batch1"] > 0 for form in forms.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_and_its_export_answer_alike(study, exported, kind):
    run, out = models.load(study.runs[kind]), models.load(exported[kind])
    stored = np.load(study.path("test_images.npy"))
    assert run.classes == out.classes
    allowed = 0.2 if kind in DTYPES else 1e-4
    (one, features), (other, same) = run.answer(stored), out.answer(stored)
    assert np.abs(one - other).max() < allowed and np.abs(features - same).max() < 10 * allowed
    if kind in ("linear_probe", "knn"):  # the study's cache and the export's own features: the same distances
        assert np.allclose(run.distances(features), out.distances(same), atol=2e-3)
        assert run.confidence["unlike"]["k"] == out.confidence["unlike"]["k"] == 10
    else:
        assert run.distances(features) is None and out.distances(same) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_behind_an_answer_is_that_of_the_run(study, exported, kind):
    pytest.importorskip("captum")
    from ftbench.export.serve.evidence import NEAREST, Evidence

    stored = np.load(study.path("images.npy"))[np.load(study.path("split.npz"))["train"][:3]]
    loaded = [models.load(exported[kind]), models.load(study.runs[kind])]
    out, run = (Evidence(model)(stored, *model.answer(stored)) for model in loaded)
    classes = loaded[0].classes
    for one in out:
        assert len(one["nearest"]) == NEAREST and {near["class"] for near in one["nearest"]} <= set(classes)
        assert (one["nearest"][0]["image"] is not None) == (kind == "scratch")  # never given away unasked
        if kind != "lora":  # in int8 features are not the training image's own
            assert one["nearest"][0]["distance"] < 0.05  # a training image finds itself
    if kind == "knn":
        assert out[0]["looked_at"] is None and "serve the run itself" in out[0]["why_not_looked_at"]
        assert run[0]["looked_at"] and run[0]["nearest"][0]["image"]
    elif kind != "lora":
        near = [np.abs(_pixels(a["looked_at"]) - _pixels(b["looked_at"])).max() for a, b in zip(out, run)]
        assert max(near) <= (40 if kind == "scratch" else 2)  # bfloat16 or float32 against float32


def _pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))), np.int16)


def test_the_folder_runs_without_this_project(study, exported):
    code = "import runpy, sys; sys.argv = ['example.py', *sys.argv[1:]]\ntry: runpy.run_path('example.py', run_name='__main__')\n"
    code += "finally: print(sorted({'torch', 'ftbench', 'pandas', 'scipy', 'sklearn'} & {n.split('.')[0] for n in sys.modules}))"
    command = [sys.executable, "-c", code, str(study.root / "photos" / "test"), "missing.png"]
    done = subprocess.run(command, cwd=exported["scratch"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3 and "missing.png: cannot be read" in done.stderr, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 31 and lines[-1] == "[]" and "90 % set: " in lines[0]


def test_the_card_says_what_is_known(exported):
    card = (exported["linear_probe"] / "README.md").read_text(encoding="utf-8")
    for heading in ("Data", "Protocol", "Scores on the test set", "Per class", "Doubt", "Robustness", "Known faults of the data", "Forms", "Cost", "Licences"):  # fmt: skip
        assert f"## {heading}\n" in card
    assert card.startswith("---\nlicense: other") and "| striped | 10 | " in card
    assert "Not measured: the study's config did not ask" in card and "No audit was made." in card


def test_weights_are_the_librarys_and_small_ones_are_small(study, exported):
    from safetensors.torch import load_file

    from ftbench.model import architectures

    for kind in ("scratch", "linear_probe"):
        network = architectures.load("ftbench").build("resnet8", 3, 12)
        network.load_state_dict(
            load_file(exported[kind] / "model.safetensors")
        )  # raises if a name is missing or unknown
    sizes = {kind: (exported[kind] / "model.safetensors").stat().st_size for kind in KINDS}
    assert sizes["scratch"] < 0.6 * sizes["linear_probe"]
    assert not list(exported["scratch"].rglob(".written.jsonl"))


def test_predict_writes_rows_and_tells_of_unreadable_files_in_its_status(study, exported, capsys, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    out = tmp_path / "answers.json"
    photos = str(study.root / "photos/test/dark")
    arguments = ["predict", str(exported["linear_probe"]), photos, str(broken), "--format", "json", "--out", str(out)]
    assert command_line.main(arguments) == 3
    rows = json.loads(out.read_text())
    assert len(rows) == 11 and rows[-1]["error"] and {"class_1", "set", "distance", "unlike"} <= set(rows[0])
    printed = capsys.readouterr()
    assert "broken.png: cannot be read" in printed.err and "1 of 11 files could not be read" in printed.err
    assert command_line.main(["predict", str(study.runs["lora"]), photos, "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 11 and "no distances to its training images" in printed.err
    assert command_line.main(["predict", str(exported["scratch"]), photos, "--unsure", "0.99"]) == 1
    assert "cannot be promised: 36 validation images prove no such precision" in capsys.readouterr().err


def test_the_recommended_cell_is_taken(study, monkeypatch, capsys, tmp_path):
    chosen = finished.choose(str(study.results), None, None, None, None, True)
    assert (
        chosen.folder == study.runs["linear_probe"] and "recommends linear_probe on resnet8" in capsys.readouterr().out
    )
    for arguments, words in (
        (
            ["nothing", "out"],
            "STUDY: nothing is no folder with runs and no study below results/; studies there: photos",
        ),
        (["photos", "out"], "--strategy is not given; valid are knn, linear_probe, lora, scratch; --recommended lets"),
        (["photos", "out", "--backbone", "x"], "--backbone x is unknown; valid are resnet8"),
        (["photos", "out", "--strategy", "lora", "--seed", "7"], "--seed 7 is no run of"),
        (
            ["photos", "out", "--recommended", "--strategy", "lora"],
            "--recommended chooses backbone and strategy itself",
        ),
    ):
        monkeypatch.chdir(study.root)
        assert command_line.main(["export", *arguments]) == 1
        printed = capsys.readouterr().err
        assert words in printed and printed.count("\n") == 1
    with pytest.raises(
        InputError, match="has no model.onnx; give a folder that `ftbench export` wrote, or that of a finished run"
    ):
        models.load(tmp_path)


def test_of_sizes_of_one_data_set_the_largest_is_taken(study, capsys, tmp_path):
    sizes = {"photos-8": 8, "photos-all": None, "photos-32": 32}
    for name in sizes:
        shutil.copytree(study.results / "runs/photos", tmp_path / "runs" / name)
    given = {name: {"family": "photos", "train_limit": limit} for name, limit in sizes.items()}
    (tmp_path / "study.json").write_text(json.dumps({"datasets": given}))
    chosen = finished.choose(str(tmp_path), None, None, "lora", None, False)
    assert chosen.cell[0] == "photos-all" and "of 3 sizes of the training set, photos-all" in capsys.readouterr().out
    assert finished.choose(str(tmp_path), "photos-8", None, "lora", None, False).cell[0] == "photos-8"
    given["photos-8"]["family"] = "birds"
    (tmp_path / "study.json").write_text(json.dumps({"datasets": given}))
    with pytest.raises(InputError, match="--dataset is not given; valid are photos-32, photos-8, photos-all"):
        finished.choose(str(tmp_path), None, None, "lora", None, False)


def test_a_data_set_in_folds_has_no_single_network(study, tmp_path):
    for name in ("photos", "photos-fold1", "photos-fold2"):
        shutil.copytree(study.results / "runs/photos", tmp_path / "runs" / name)
    about = {"family": "photos", "train_limit": None}
    folds = {f"photos-fold{number}": about | {"fold_of": "photos"} for number in (1, 2)}
    (tmp_path / "study.json").write_text(json.dumps({"datasets": {"photos": about | {"fold_of": None}} | folds}))
    for dataset, said in (("photos", "photos is tested in 2 folds"), (None, "photos is tested in 2 folds"), ("photos-fold2", "photos-fold2 is one of 2 folds of photos")):  # fmt: skip
        with pytest.raises(InputError, match=f"{said}.*train the chosen cell once with test_fraction"):
            finished.choose(str(tmp_path), dataset, None, "lora", None, False)


def test_what_does_not_answer_as_the_study_did_is_refused(study, exported, monkeypatch, tmp_path):
    monkeypatch.setattr(
        package.onnx_file, "write_onnx", lambda _, __, path: shutil.copy(exported["knn"] / "model.onnx", path)
    )
    with pytest.raises(InputError, match="does not answer as the study did"):
        package.export(finished.Finished(study.runs["scratch"]), tmp_path / "out", "float32")
    assert not (tmp_path / "out").exists() and (tmp_path / "out.refused" / "parity.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out.refused"]


def test_files_that_are_gone_or_changed_are_said(study):
    run = finished.Finished(study.runs["scratch"])
    path = study.root / "photos/test/dark/00.png"
    kept = path.read_bytes()
    path.unlink()
    try:
        images = parity.TestImages(run)
        assert images.files.count(None) == 1 and images.why.startswith("1 files below")
    finally:
        path.write_bytes(kept)


def test_a_study_in_bfloat16_is_compared_with_its_network_in_float32(study, exported):
    run = finished.Finished(study.runs["scratch"])
    network = package.complete.load(run)
    test = run.logits("test")
    record = read_json(run.folder / "run.json")
    same, origin = parity.reference(run, record, network, test, 1.0)
    other, told = parity.reference(run, record | {"precision": "bfloat16"}, network, test, 1.0)
    assert np.allclose(same, other, atol=1e-5) and origin != told and "in torch, in float32" in told


def test_a_diverged_run_is_refused(study, tmp_path):
    copy = tmp_path / "results/photos/runs/photos/resnet8/scratch/seed0"
    shutil.copytree(study.runs["scratch"], copy)
    shutil.copytree(study.data, tmp_path / "results/photos/data/photos")
    forget(copy / "run.json", status="diverged")
    with pytest.raises(InputError, match="diverged and has no network; take another seed or strategy"):
        package.export(finished.Finished(copy), tmp_path / "out", "float32")
    with pytest.raises(InputError, match="has no finished run; choose another"):
        finished.choose(str(tmp_path / "results/photos"), None, None, None, None, False)
