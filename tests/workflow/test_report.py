"""The report: every figure and table with its caption, from results alone."""

import html
import re
import shutil
import zipfile

import pytest
from studies import FIGURES, TABLES, Clone, settings

SHOWN = [
    "summary.html",
    *(f"plots/{dataset}.{figure}.svg" for dataset in ("digits", "photos") for figure in FIGURES),
    "plots/critical_difference.svg",
    *(f"tables/{name}.html" for name, formats in TABLES.items() if "html" in formats),
]


NOT_ASKED = (
    "robustness",
    "slice",
    "policies",
    "activations",
    "training_size",
    "label_more",
    "folds",
)  # this study has no corruptions, no axes and no folds


def plain(text: str) -> str:
    """The words of a caption: reStructuredText, or the HTML that Snakemake makes of it inside a JSON string."""
    text = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)  # as JSON has letters beyond ASCII
    text = re.sub(r"<[^>]*>", "", text.replace("\\n", " ").replace('\\"', '"'))
    return " ".join(re.sub(r"[`*]", "", html.unescape(text)).split())


def report(clone) -> dict[str, bytes]:
    """{name in the report: content} of a report made now."""
    path = clone.path("report.zip")
    path.unlink(missing_ok=True)
    printed = clone.snakemake("--report", str(path.relative_to(clone.root)))
    assert "Finished jobid" not in printed
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def shared(finished, tmp_path_factory):
    return finished.clone.copy_to(tmp_path_factory.mktemp("report") / "clone")


def test_report_holds_every_figure_table_and_caption(shared):
    before = shared.contents()
    found = report(shared)
    assert {name: digest for name, digest in shared.contents().items() if not name.endswith("report.zip")} == before
    held = {name.split("/")[-1]: content for name, content in found.items()}
    for name in SHOWN:
        assert held[name.split("/")[-1]] == shared.path(name).read_bytes(), name
    page = plain(found["report/report.html"].decode())
    for caption in sorted((shared.root / "workflow/report").glob("*.rst")):
        if "{{" not in caption.read_text() and not caption.stem.startswith(NOT_ASKED):
            assert plain(caption.read_text()) in page, caption.name
    assert "This study, tiny, asks which pretrained backbone" in page
    assert "with 2 seed(s)" in page


def test_report_needs_no_data_no_model_and_no_download(shared):
    for folder in ("results/tiny/data", "results/tiny/features", "resources", "photos"):
        shutil.rmtree(shared.root / folder)
    for model in shared.path("runs").rglob("model.safetensors"):
        model.unlink()
    held = {name.split("/")[-1] for name in report(shared)}
    assert {name.split("/")[-1] for name in SHOWN} <= held
    assert not shared.path("data").exists()


def test_the_report_of_a_rehearsal_speaks_of_the_rehearsal(tmp_path):
    """Its name and its one seed. Empty files stand in for the results: only the words of the report are looked at."""
    clone = Clone.of_repository(tmp_path / "clone", settings(seeds=[0, 1, 2]))
    for node in clone.graph("--config", "smoke=true"):
        for output in node.outputs:
            (clone.root / output).parent.mkdir(parents=True, exist_ok=True)
            (clone.root / output).touch()
    clone.snakemake("--report", "report.zip", "--config", "smoke=true")
    with zipfile.ZipFile(clone.root / "report.zip") as archive:
        words = plain(archive.read("report/report.html").decode())
    assert "This study, tiny_smoke, asks" in words and "trained with 1 seed(s)" in words
