"""Results that came without Snakemake's records: what differs from the config is named before anything is believed."""

from base64 import urlsafe_b64encode

import pytest

from ftbench.base.errors import InputError
from ftbench.base.files import write_json
from ftbench.study.driver.copied import differences, forced, refuse_other_settings

STUDY = {"margin": 0.01, "seeds": [0, 1], "strategies": {"finetune": {"recipe": {"epochs": 2}}}, "budgets": {}}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder in which results/tiny lies, and no record of Snakemake's."""
    monkeypatch.chdir(tmp_path)
    write_json("results/tiny/study.json", STUDY)


@pytest.mark.parametrize(
    "change, named",
    [
        ({"margin": 0.02}, "margin"),
        ({"seeds": [0, 1, 2]}, "seeds"),
        ({"strategies": {"finetune": {"recipe": {"epochs": 3}}}}, "strategies.finetune.recipe.epochs"),
        ({"strategies": STUDY["strategies"] | {"knn": {}}}, "strategies.knn"),
        ({"strategies": {}}, "strategies.finetune"),
        ({"budgets": {"small": {"minutes": 1}}}, "budgets.small"),
    ],
)
def test_other_settings_are_named(results, change, named):
    with pytest.raises(InputError, match=rf"results/tiny/study.json was made .*\({named}\).*--forcerun"):
        refuse_other_settings("results/tiny", STUDY | change)


def test_what_snakemake_has_a_record_of_is_left_to_it(results, tmp_path):
    record = tmp_path / ".snakemake" / "metadata" / urlsafe_b64encode(b"results/tiny/study.json").decode()
    record.parent.mkdir(parents=True)
    record.touch()
    refuse_other_settings("results/tiny", STUDY | {"margin": 0.02})


def test_equal_settings_and_a_study_that_has_not_begun_pass(results):
    refuse_other_settings("results/tiny", STUDY | {"seeds": (0, 1)})  # a tuple is a list in JSON
    refuse_other_settings("results/other", STUDY)


def test_a_damaged_record_is_left_to_the_job_that_reads_it(results, tmp_path):
    (tmp_path / "results/tiny/study.json").write_text("")
    refuse_other_settings("results/tiny", STUDY)


def test_a_key_of_a_later_version_is_no_difference():
    later = STUDY | {"gpus_per_run": 1, "strategies": {"finetune": {"recipe": {"epochs": 2, "mixup": 0}}}}
    assert differences(STUDY, later) == []
    assert differences(later, STUDY) == ["strategies.finetune.recipe.mixup", "gpus_per_run"]


@pytest.mark.parametrize(
    "line, answer",
    [("-n", False), ("-R train", True), ("--forceall", True), ("--forcerun=train", True), ("--cores 2", False)],
)
def test_a_command_that_says_itself_what_to_repeat_is_believed(line, answer):
    assert forced(line.split()) is answer
