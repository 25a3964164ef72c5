"""A data set that is tested in folds: its entries, its cells, and what is refused."""

import pytest

from ftbench.base.errors import InputError
from ftbench.study import config, expand, grid, inputs, report_files, settings

PHOTOS = {"source": "imagefolder", "path": "photos", "test_folds": 3}
SMALL = {"source": "ftbench", "model": "resnet8", "image_size": 8}


def study(photos=None, datasets=None, **changes) -> dict:
    return config.resolve(
        {
            "study": "s",
            "seeds": [0, 1],
            "datasets": {"photos": PHOTOS | (photos or {}), "digits": {"source": "digits"}} | (datasets or {}),
            "backbones": {"small": SMALL},
            "strategies": {"scratch": {"kind": "scratch"}},
        }
        | changes
    )


def test_folds_train_in_the_place_of_the_data_set_and_the_tables_know_it_alone():
    found = study()
    folds = [f"photos-fold{number}" for number in (1, 2, 3)]
    assert list(found["datasets"]) == ["photos", *folds, "digits"]
    cells = grid.cells(found)
    assert [cell.dataset for cell in cells] == ["photos", "digits"]
    assert [cell.dataset for cell in grid.trained(found, cells)] == [*folds, "digits"]
    assert grid.folds_of(found, "photos") == folds and grid.folds_of(found, "digits") == []
    assert grid.folds_of({"datasets": {"digits": {}}}, "digits") == []  # a study.json of an earlier version
    assert inputs.folded(found, ["photos", "digits"]) == ["photos"]
    assert inputs.limits(found, ["photos", "digits"]) == [] and inputs.reported(found, ["photos"]) == ["photos"]
    assert {run["dataset"] for run in inputs.networks(found, cells)} == {*folds, "digits"}
    assert inputs.fold_files(found, "photos", "{dataset}/{seed}")[2] == "photos-fold3/{seed}"
    assert [inputs.measured_in(found, name) for name in ("photos", "digits")] == ["photos-fold1", "digits"]
    assert any("folds.html" in path for path in report_files.tables(found, cells))
    assert not any("folds" in path for path in report_files.tables(found, [cells[1]]))


def test_a_fold_is_split_as_any_data_set_and_all_images_are_prepared_once_whatever_their_number(tmp_path):
    two, three = ({"path": str(tmp_path), "test_folds": count} for count in (2, 3))
    prepared = [settings.prepare(study(photos), "photos") for photos in (two, three)]
    assert prepared[0] == prepared[1] and prepared[0]["test_folds"] is True
    assert "test_folds" not in settings.prepare(study(), "digits")  # as before there were folds
    assert settings.split(study(), "photos-fold1") == settings.split(study(), "photos")
    assert expand.fold_settings(study(), "photos")["test_folds"] == 3


def test_corrupted_images_of_all_folds_are_no_more_than_the_config_says():
    found = study(corruptions={"enabled": True, "images": 10})
    cell = grid.Cell("photos-fold1", "small", "scratch")
    assert settings.corruption(found, cell)["settings"]["images"] == 3
    assert settings.corruption(found, cell._replace(dataset="digits"))["settings"]["images"] == 10


def test_a_rehearsal_has_two_folds_and_exclude_means_all_of_them():
    assert list(study(smoke=True)["datasets"]) == ["photos", "photos-fold1", "photos-fold2", "digits"]
    left = study(exclude=[{"dataset": "photos"}])
    assert {cell.dataset for cell in grid.trained(left, grid.cells(left))} == {"digits"}


GIVEN = {"kind": "predictions", "backbone": "api", "files": {"photos": "answers.csv"}}
OWN = SMALL | {"weights": "run:s/photos/small/scratch/0"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"photos": {"test_fraction": 0.2}}, "test_folds is 3, and test_fraction is 0.2"),
        ({"photos": {"validation": "given"}}, "validation is given, whose images would never be tested"),
        ({"photos": {"train_limit": [2, 4]}}, "datasets.photos gives a list of train_limit and test_folds 3"),
        ({"photos": {"test_folds": 1}}, "datasets.photos.test_folds is 1; it must be at least 2"),
        ({"datasets": {"digits": {"source": "digits", "test_folds": 3}}}, "source digits has a test part of its own"),
        ({"datasets": {"photos-fold2": {"source": "digits"}}}, "test_folds makes a data set photos-fold2"),
        ({"exclude": [{"dataset": "photos-fold1"}]}, "'photos-fold1', which is not in datasets; valid: digits, photos"),
        ({"strategies": {"api": GIVEN}}, "strategies.api.files names photos, whose test_folds is 3"),
        ({"backbones": {"small": OWN}}, "a run that leaves no network of its own"),
    ],
)
def test_what_does_not_fit_folds_is_one_sentence(changes, said):
    with pytest.raises(InputError) as error:
        study(**changes)
    assert said in str(error.value) and len(str(error.value).splitlines()) == 1
