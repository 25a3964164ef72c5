"""The model that a finished study recommends, taken out of it and asked on the page in a real browser."""

import json
import threading
import time

import pytest
from test_browser import browser  # noqa: F401  the fixture

from ftbench.export import models
from ftbench.tools import command_line

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished.clone.root)
        assert (
            command_line.main(
                ["export", "tiny", "--recommended", "--dataset", "photos", "--training-images", str(folder)]
            )
            == 0
        )
    return folder


def test_the_recommended_model_answers_as_in_its_study_from_the_original_files(exported):
    proof = json.loads((exported / "parity.json").read_text())
    assert proof["same_top1"] == 1 and proof["images"] == proof["from_original_files"] == 12
    assert proof["largest_difference"] < 1e-4 and proof["pixels_unlike_stored"] == 0
    card = (exported / "README.md").read_text()
    assert "The cell's mean over 2 seed(s)" in card and "Tuning, all trials" in card and "test images: 12" in card


def test_the_page_answers_for_images_that_are_chosen(finished, exported, browser):  # noqa: F811
    uvicorn = pytest.importorskip("uvicorn")
    from ftbench.export.serve.app import HOST, application

    settings = uvicorn.Config(application(models.load(exported)), host=HOST, port=0, log_level="error")
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    own = f"http://{HOST}:{server.servers[0].sockets[0].getsockname()[1]}/"
    page, wrong = browser.new_page(), []
    page.set_default_timeout(90_000)  # milliseconds; the other core may be training
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda one: wrong.append(one.url) if not one.url.startswith((own, "blob:")) else None)
    page.goto(own)
    page.get_by_text("2 classes. At most 20 MB").wait_for()
    photos = finished.clone.root / "photos"
    page.locator("#files").set_input_files([photos / "test/dark/00.png", photos / "train/dark/broken.jpg"])
    page.locator("#status", has_text="2 image(s) answered.").wait_for()
    assert page.locator("article").count() == 2 and page.locator("article .bar").count() == 2
    assert "Nearest training images: " in page.locator("article .nearest").inner_text()
    assert page.locator("article .nearest img").count() > 0
    page.wait_for_function("document.querySelector('article figure img').naturalWidth > 100")
    assert "(Grad-CAM on " in page.locator("article figcaption").inner_text()
    assert "In 90.0 % of cases it is one of: " in page.locator("article .set").inner_text()
    assert "be read" in page.locator("article .warn").first.inner_text()
    page.close()
    server.should_exit = True
    thread.join()
    assert wrong == []
