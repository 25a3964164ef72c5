"""A finished study's models, taken out: proven on the original files, run without this project, asked on the page in a browser."""

import json
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax
from test_browser import browser  # noqa: F401  the fixture

from ftbench.export import finished as runs
from ftbench.export import models, package, parity
from ftbench.tools import command_line

pytest.importorskip("onnxruntime")
PHOTOS = ["--dataset", "photos", "--backbone", "small", "--strategy", "scratch"]


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    """The folders of two exports, photos from their files and a probe on digits."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished.clone.root)
        probe = ["--dataset", "digits", "--backbone", "pretrained", "--strategy", "linear_probe"]
        assert command_line.main(["export", "tiny", *PHOTOS, str(folder / "photos"), "--dtype", "bfloat16"]) == 0
        assert command_line.main(["export", "results/tiny", *probe, str(folder / "probe")]) == 0
    return SimpleNamespace(root=finished.clone.root, photos=folder / "photos", probe=folder / "probe")


def proof(folder):
    return json.loads((folder / "parity.json").read_text())


def test_every_test_image_gets_the_studys_class_from_its_own_file(exported):
    photos, probe = proof(exported.photos), proof(exported.probe)
    assert photos["same_top1"] == probe["same_top1"] == 1 and photos["images"] == photos["from_original_files"] == 12
    assert photos["pixels_unlike_stored"] == 0 and photos["why_stored"] is None
    assert max(photos["largest_difference"], probe["largest_difference"]) < 1e-4
    assert probe["from_stored_images"] == probe["images"] == 597 and "archives" in probe["why_stored"]
    assert [form["dtype"] for form in photos["forms"]] == ["float32", "bfloat16"]
    assert photos["forms"][1]["bytes"] < photos["forms"][0]["bytes"]


def test_the_folder_runs_without_this_project(exported):
    code = "import runpy, sys; sys.argv = ['example.py', *sys.argv[1:]]\ntry: runpy.run_path('example.py', run_name='__main__')\n"
    code += "finally: print(sorted({'torch', 'ftbench', 'pandas', 'scipy', 'sklearn'} & {n.split('.')[0] for n in sys.modules}))"
    command = [sys.executable, "-c", code, str(exported.root / "photos" / "test"), "missing.png"]
    done = subprocess.run(command, cwd=exported.photos, capture_output=True, text=True, timeout=120)
    assert done.returncode == 3 and "missing.png: cannot be read" in done.stderr, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 13 and lines[-1] == "[]" and "90 % set: " in lines[0]


def test_the_card_says_what_is_known(exported):
    card = (exported.probe / "README.md").read_text()
    for heading in ("Data", "Protocol", "Scores on the test set", "Per class", "Doubt", "Robustness", "Known faults", "Forms", "Cost", "Licences"):  # fmt: skip
        assert f"## {heading}" in card
    assert card.startswith("---\nlicense: other") and "| 9 | " in card and "CC BY 4.0" in card


def test_predict_answers_alike_from_the_run_and_from_the_export(exported, capsys, tmp_path):
    run = exported.root / "results/tiny/runs/photos/small/scratch"
    taken = json.loads((exported.photos / "preprocessing.json").read_text())["run"]["folder"]
    found = {}
    for name, place in (("run", run / taken), ("export", exported.photos)):
        out = tmp_path / f"{name}.json"
        arguments = [
            "predict",
            str(place),
            str(exported.root / "photos" / "test"),
            "--format",
            "json",
            "--out",
            str(out),
        ]
        assert command_line.main(arguments) == 0
        found[name] = json.loads(out.read_text())
    assert len(found["run"]) == 12
    pairs = list(zip(found["run"], found["export"]))
    assert all(one["class_1"] == other["class_1"] for one, other in pairs)
    assert all(
        abs(one["probability_1"] - other["probability_1"]) < 0.02 for one, other in pairs
    )  # of weights in bfloat16
    corrupt = exported.root / "photos/train/dark/broken.jpg"
    assert command_line.main(["predict", str(exported.photos), str(corrupt), "--format", "csv"]) == 3
    printed = capsys.readouterr()
    assert "broken.jpg: cannot be read" in printed.err and "1 of 1 files could not be read" in printed.err


def test_a_probes_distances_are_those_of_the_studys_cache(exported):
    run = models.load(exported.root / "results/tiny/runs/digits/pretrained/linear_probe/seed0")
    stored = np.load(exported.root / "results/tiny/data/digits/test_images.npy")[:20]
    other = models.load(exported.probe)
    found = [model.distances(model.answer(stored)[1]) for model in (run, other)]
    assert np.allclose(*found, atol=2e-3) and run.confidence["unlike"]["k"] == other.confidence["unlike"]["k"]
    logits = run.validation[0]
    assert np.allclose(softmax(logits / run.confidence["temperature"], 1).sum(1), 1)


def test_what_does_not_answer_as_the_study_did_is_refused(exported, monkeypatch, tmp_path):
    def shifted(network, stored, path):
        import shutil

        shutil.copy(exported.probe / "model.onnx", path)

    monkeypatch.setattr(package.onnx_file, "write_onnx", shifted)
    monkeypatch.chdir(exported.root)
    found = parity.compared
    monkeypatch.setattr(parity, "compared", lambda one, other: found(np.roll(one, 1, axis=1), other))
    run = runs.choose("tiny", "digits", "pretrained", "linear_probe", 0, False)
    with pytest.raises(package.InputError, match="does not answer as the study did: 5.. of 597 test images"):
        package.export(run, tmp_path / "out", "float32")
    assert not (tmp_path / "out").exists() and (tmp_path / "out.refused" / "parity.json").exists()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["nothing"], "STUDY: nothing is no folder with runs and no study below results/; studies there: tiny"),
        (["tiny"], "--dataset is not given; valid are digits, photos"),
        (["tiny", "--dataset", "digits", "--backbone", "x"], "--backbone x is unknown; valid are pretrained, small"),
        (["tiny", *PHOTOS, "--seed", "7"], "--seed 7 is no run of"),
        (["tiny", "--dataset", "digits", "--backbone", "pretrained", "--strategy", "hopeless"], "has no finished run"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(exported, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(exported.root)
    assert command_line.main(["export", *arguments, "out"]) == 1
    printed = capsys.readouterr().err
    assert words in printed and printed.count("\n") == 1


def test_the_page_answers_for_images_that_are_dropped(exported, browser):  # noqa: F811
    uvicorn = pytest.importorskip("uvicorn")
    from ftbench.export.serve.app import HOST, application

    server = uvicorn.Server(uvicorn.Config(application(models.load(exported.photos)), host=HOST, port=0, log_level="error"))  # fmt: skip
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    page, wrong = browser.new_page(), []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda one: wrong.append(one.url) if not one.url.startswith((f"http://{HOST}:{port}/", "blob:")) else None)  # fmt: skip
    page.goto(f"http://{HOST}:{port}/")
    page.get_by_text("2 classes. At most 20 MB").wait_for()
    photos = sorted((exported.root / "photos" / "test").rglob("*.*"))
    page.locator("#files").set_input_files([photos[0], exported.root / "photos/train/dark/broken.jpg"])
    page.locator("article").nth(1).wait_for()
    assert page.locator("article .bar").count() == 2 and "90.0 % set" in page.locator("article .set").inner_text()
    assert "cannot be read" in page.locator("article .warn").first.inner_text()
    page.locator("#status", has_text="2 image(s) answered.").wait_for()
    page.close()
    server.should_exit = True
    thread.join()
    assert [text for text in wrong if "207" not in text] == []
