"""A new user's way, as docs/your_images.md has it: `ftbench init` of a folder, the rehearsal of the config that it wrote, its report, the model
that it recommends, and its answers; test_exported_study.py serves one. No line is written by hand.
"""

import zipfile

import pandas as pd
from studies import CORRUPT, Clone, write_photos

from ftbench.export import models
from ftbench.export.serve.app import application
from ftbench.study import config
from ftbench.tools import command_line


def test_from_a_folder_to_a_report_without_a_line_of_one_s_own(tmp_path, monkeypatch, capsys):
    clone = Clone.of_repository(tmp_path / "clone")
    write_photos(clone.root / "photos")
    monkeypatch.chdir(clone.root)
    # The smallest study of the ladder: what it takes is starting jobs.
    assert command_line.main(["init", "photos", "--hours", "0.001"]) == 0
    said = capsys.readouterr().out
    assert f"1 image: {CORRUPT}" in said and "make study CONFIG=config/photos.yaml" in said
    assert command_line.main(["init", "photos"]) == 1 and "exists already" in capsys.readouterr().err
    study = config.read("config/photos.yaml")
    options = ("--configfile", "config/photos.yaml", "--config", "smoke=true")
    clone.snakemake(*options)
    clone.snakemake("--report", "report.zip", *options)
    with zipfile.ZipFile("report.zip") as report:
        assert len(report.namelist()) > 10
    tables = clone.root / "results" / "photos_smoke" / "tables"
    comparison = pd.read_csv(tables / "comparison.csv")
    assert set(comparison["strategy"]) == set(study["strategies"])
    facts = pd.read_csv(tables / "image_facts.csv")
    assert CORRUPT in facts.loc[facts["fact"] == "skipped as corrupt", "detail"].item()
    assert command_line.main(["export", "photos_smoke", "--recommended", "model"]) == 0
    assert (
        command_line.main(["predict", "model", "photos", "--format", "csv", "--out", "answers.csv"]) == 3
    )  # the corrupt one
    answers = pd.read_csv("answers.csv")
    assert answers["error"].notna().sum() == 1 and set(answers["class_1"].dropna()) <= set(models.load("model").classes)
    assert application(models.load("model")).routes
