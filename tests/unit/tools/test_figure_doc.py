"""`make figures` on a study of pictures that are made up; test_browser.py takes the summary's picture of a real one."""

import pytest

from ftbench.base.errors import InputError
from ftbench.tools.documents import figure_doc


@pytest.fixture
def study(tmp_path):
    for plot in figure_doc.PLOTS.values():
        path = tmp_path / "demo" / plot
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<svg>{plot}</svg>")
    (tmp_path / "demo" / "summary.html").write_text("<body>")
    return tmp_path / "demo"


def test_every_picture_is_the_studys_own_and_the_summarys_stays_without_a_browser(study, tmp_path, monkeypatch):
    monkeypatch.delenv("FTBENCH_BROWSER", raising=False)
    monkeypatch.setattr(figure_doc, "BROWSERS", ("no-such-browser",))
    docs = tmp_path / "docs"
    (docs / "figures").mkdir(parents=True)
    (docs / figure_doc.SUMMARY).write_bytes(b"before")
    assert set(figure_doc.make(study, docs)) == set(figure_doc.PLOTS)
    for picture, plot in figure_doc.PLOTS.items():
        assert (docs / picture).read_text() == f"<svg>{plot}</svg>"
    assert (docs / figure_doc.SUMMARY).read_bytes() == b"before"
    assert len([path for path in docs.rglob("*") if path.is_file()]) == len(figure_doc.PLOTS) + 1


def test_the_pictures_of_the_findings_are_those_of_their_study_where_it_is_there(tmp_path):
    study, docs = tmp_path / "findings", tmp_path / "docs"
    for plot in figure_doc.FINDINGS.values():
        (study / plot).parent.mkdir(parents=True, exist_ok=True)
        (study / plot).write_text(f"<svg>{plot}</svg>")
    assert figure_doc.of_findings(study, docs) == list(figure_doc.FINDINGS)
    for picture, plot in figure_doc.FINDINGS.items():
        assert (docs / picture).read_text() == f"<svg>{plot}</svg>"
    (study / "plots" / "cifar10.pareto.svg").unlink()
    assert figure_doc.of_findings(study, tmp_path / "other") == [] and not (tmp_path / "other").exists()


def test_a_study_that_lacks_a_picture_changes_none_and_a_browser_that_is_named_must_exist(study, tmp_path, monkeypatch):
    (study / "plots" / "digits.training_size.svg").unlink()
    with pytest.raises(InputError, match="demo has no plots/digits.training_size.svg; run `make demo` first"):
        figure_doc.make(study, tmp_path / "docs")
    assert not (tmp_path / "docs").exists()
    monkeypatch.setenv("FTBENCH_BROWSER", "no-such-browser")
    with pytest.raises(InputError, match="FTBENCH_BROWSER=no-such-browser does not exist"), figure_doc.browser():
        pass
