import pytest

from ftbench.data.sources import torchvision
from ftbench.study import config, grid
from ftbench.study.kinds import declared
from ftbench.tools import passes, plan


def study(image_size=8, **changes):
    given = {
        "study": "planned",
        "seeds": [0, 1, 2],
        "datasets": {"cifar": {"source": "torchvision", "name": "CIFAR10"}},
        "backbones": {"plain": {"source": "ftbench", "model": "resnet8", "image_size": image_size},
                      "loaded": {"source": "ftbench", "model": "resnet8", "image_size": image_size,
                                 "weights": "file:w.pth", "mean": [0.5] * 3, "std": [0.2] * 3}},
        "strategies": {"probe": {"kind": "linear_probe"}, "scratch": {"kind": "scratch"},
                       "fixed": {"kind": "finetune", "learning_rate": 0.1}, "tutorial": {"kind": "tutorial"}},
    }  # fmt: skip
    return config.resolve(given | changes)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # no results of a real study are found here


def total(**changes):
    return sum(row["hours"] for row in plan.plan(study(**changes)))


def test_every_cell_is_counted_with_its_trials_and_seeds():
    resolved = study()
    rows = plan.plan(resolved)
    assert [(row["dataset"], row["backbone"], row["strategy"]) for row in rows] == grid.cells(resolved)
    runs = {row["strategy"]: row["runs"] for row in rows if row["backbone"] == "loaded"}
    assert runs == {"probe": 1, "scratch": 3 + 3, "fixed": 3, "tutorial": 3}  # a probe is one job; trials and seeds
    assert all(row["hours"] > 0 for row in rows)


def test_splits_of_their_own_repeat_trials_and_fits_but_no_features():
    shared, own = (plan.plan(study(**changes)) for changes in ({}, {"splits": "per_seed"}))
    runs = {row["strategy"]: row["runs"] for row in own if row["backbone"] == "loaded"}
    assert runs == {"probe": 3, "scratch": 3 * 3 + 3, "fixed": 3, "tutorial": 3}
    hours = [{row["strategy"]: row["hours"] for row in rows} for rows in (shared, own)]
    assert hours[0]["probe"] == hours[1]["probe"] and 1.9 < hours[1]["scratch"] / hours[0]["scratch"] < 2


@pytest.mark.parametrize(
    "larger",
    [
        {"image_size": 16},
        {"seeds": [0, 1, 2, 3]},
        {"training": {"epochs": 20}},
        {"datasets": {"cifar": {"source": "torchvision", "name": "MNIST"}}},
        {"hardware": {"teraflops": 1}},
        {"hardware": {"gigabytes_per_second": 10}},
    ],
    ids=str,
)
def test_more_work_or_a_slower_machine_takes_more_hours(larger):
    assert total(**larger) > total()


def test_a_limit_per_class_counts_the_classes():
    limited = {"source": "torchvision", "name": "CIFAR100", "train_limit": 100}
    resolved = study(datasets={"cifar": limited})
    assert plan.images_of("cifar", resolved["datasets"]["cifar"], "planned") == (10_000, 10_000)


def test_training_on_small_images_first_takes_less_and_validation_stays():
    growing = total(training={"image_sizes": [4, 8]})
    assert total(image_size=4) < growing < total()


def test_a_frozen_part_runs_once_for_all_cells_that_share_it():
    last = {"kind": "last_block"}
    strategies = {
        "off": last,
        "two": last | {"cached_views": 2},
        "too": last | {"cached_views": 2, "weight_decay": 0.1},
    }
    resolved = study(
        exclude=[{"backbone": "plain"}],
        strategies=strategies | {"three": last | {"cached_views": 3}},
        hardware={"gigabytes_per_second": 1e12},
    )
    rows = {row["strategy"]: row for row in plan.plan(resolved) if row["backbone"] == "loaded"}
    hours = {name: row["hours"] for name, row in rows.items()}
    assert hours["three"] < hours["off"] and "views" not in rows["off"]
    assert hours["two"] - hours["too"] == pytest.approx(rows["two"]["views"]["hours"])
    cost = passes.halves_cost(resolved["backbones"]["loaded"], "last_block", 4)
    whole = passes.forward_cost(resolved["backbones"]["loaded"], 4)
    assert cost.frozen.flops + cost.rest.flops == whole.flops and cost.values == 32 * 4 * 4
    assert rows["two"]["views"]["gigabytes"] == (2 * 45_000 + 5_000) * cost.values * 2 / 1e9
    said = plan.show(resolved, plan.plan(resolved))
    assert said.count("the frozen part runs once, one job") == 2
    assert (
        "cifar / loaded: 3 views by last_block, crop_flip: the frozen part runs once" in said
        and "GB on the disk" in said
    )


def test_halves_are_counted_where_batch_norms_see_a_single_pixel_of_one_image():
    entry = {"source": "timm", "model": "tf_efficientnet_lite0", "image_size": 32}
    cost, whole = passes.halves_cost(entry, "last_block", 2), passes.forward_cost(entry, 2)
    assert cost.frozen.flops + cost.rest.flops == whole.flops and cost.values == 192


def test_half_the_bytes_take_less_and_a_limit_too():
    assert total(precision="bfloat16") == total(precision="float16") < total()
    limited = {"cifar": {"source": "torchvision", "name": "CIFAR10", "train_limit": 100}}
    assert total(datasets=limited) < total() / 10


def test_operations_are_counted_as_by_hand():
    """ResNet-8 at 8 pixels: multiply-adds of its convolutions and its head, two operations each."""
    entry = study()["backbones"]["plain"]
    stem, first = 27 * 16 * 64, 2 * 9 * 16 * 16 * 64
    second = (9 * 16 * 32 + 9 * 32 * 32 + 16 * 32) * 16
    third = (9 * 32 * 64 + 9 * 64 * 64 + 32 * 64) * 4
    flops, moved = plan.forward_cost(entry, 4)
    assert flops == 2 * (stem + first + second + third + 64 * passes.CLASSES)
    assert moved > 4 * (3 * 64 + 16 * 64) and plan.forward_cost(entry, 2)[1] == moved / 2


def test_hours_are_forward_passes_over_the_machines_speed():
    """Three forward passes for a training image, one for a validation and a test image; bandwidth left out."""
    resolved = study(hardware={"teraflops": 1e-6, "gigabytes_per_second": 1e12})
    hours = {row["strategy"]: row["hours"] for row in plan.plan(resolved) if row["backbone"] == "loaded"}
    forward = plan.forward_cost(resolved["backbones"]["loaded"], 4)[0] / 1e6 / 3600
    epoch = 45_000 * 3 + 5_000
    assert hours["scratch"] == pytest.approx(forward * (6 * 10 * epoch + 3 * 10_000))
    assert hours["fixed"] == pytest.approx(forward * (3 * 10 * epoch + 3 * 10_000))
    assert hours["probe"] == pytest.approx(forward * 60_000)


def test_prepared_data_are_counted_instead_of_guessed(tmp_path):
    folder = tmp_path / "results" / "planned" / "data" / "cifar"
    folder.mkdir(parents=True)
    guess = plan.images_of("cifar", study()["datasets"]["cifar"], "planned")
    for part, images in (("train", 111), ("test", 22)):
        (folder / f"{part}.json").write_text(f'{{"images": {images}}}')
    (folder / "classes.json").write_text('["cat", "dog"]')
    assert guess == (50_000, 10_000)
    assert plan.images_of("cifar", study()["datasets"]["cifar"], "planned") == (111, 22)


def test_an_image_folder_is_counted_by_its_files(tmp_path):
    for number in range(10):
        place = tmp_path / "photos" / ("cat" if number % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.jpg").write_bytes(b"")
    entry = {"source": "imagefolder", "path": "photos", "test_fraction": 0.3}
    datasets = config.resolve(study_text({"mine": entry}))["datasets"]
    assert plan.images_of("mine", datasets["mine"], "planned") == (7, 3)


def test_a_data_set_in_folds_trains_on_all_but_one_of_them_and_costs_as_many_times(tmp_path):
    for number in range(10):
        place = tmp_path / "photos" / ("cat" if number % 2 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.jpg").write_bytes(b"")
    entry = {"source": "imagefolder", "path": "photos"}
    folds, once = (
        config.resolve(study_text({"mine": entry | more})) for more in ({"test_folds": 5}, {"test_fraction": 0.2})
    )
    assert plan.images_of("mine", folds["datasets"]["mine"], "planned") == (8, 2)
    (row,), (single,) = plan.plan(folds), plan.plan(once)
    assert row["runs"] == 5 * single["runs"] and row["hours"] == pytest.approx(5 * single["hours"])
    shown = plan.show(folds, [row])
    assert "mine is tested in 5 folds: 5 times the trials and runs" in shown and "1 cells (0 of the product" in shown
    assert "folds" not in plan.show(once, [single])


def study_text(datasets):
    return {"study": "s", "seeds": [0], "datasets": datasets, "strategies": {"scratch": {"kind": "scratch"}},
            "backbones": {"plain": {"source": "ftbench", "model": "resnet8"}}}  # fmt: skip


def test_every_published_set_has_a_size():
    assert set(declared("torchvision", "sources")["sizes"]) == set(torchvision.NAMES)


def test_the_text_names_the_machine_and_adds_up():
    resolved = study()
    rows = plan.plan(resolved)
    text = plan.show(resolved, rows)
    runs = sum(row["runs"] for row in rows)
    assert text.startswith(f"Study planned: {len(rows)} cells (2 of the product excluded or impossible), {runs} trials")
    assert resolved["hardware"]["name"] in text and "within a factor of two" in text
    assert all(any(f"cifar / {name} " in line for line in text.splitlines()) for name in resolved["backbones"])
    assert all(declared(entry["kind"]) for entry in resolved["strategies"].values())


def test_two_jobs_at_a_time_halve_the_time_not_the_work():
    def last_line(jobs):
        resolved = study(hardware={"parallel_jobs": jobs, "teraflops": 1e-3})
        return plan.show(resolved, plan.plan(resolved)).splitlines()[-1]

    hours = [float(part.split()[0]) for part in last_line(2).removeprefix("Total").split(" of training, ")]
    assert hours[1] == pytest.approx(hours[0] / 2, abs=0.01)


def test_a_mixture_passes_its_images_once_and_its_validation_images_twice_for_every_share():
    strategies = {"probe": {"kind": "linear_probe"}, "fixed": {"kind": "finetune", "learning_rate": 0.1}}
    strategies |= {"mixed": {"kind": "wise_ft", "of": "fixed", "alpha": [0.0, 0.5, 1.0]}}
    strategies |= {"all": {"kind": "ensemble", "of": "fixed"}, "soup": {"kind": "soup", "of": "fixed"}}
    resolved = study(strategies=strategies | {"scratch": {"kind": "scratch"}})
    cell = grid.Cell("cifar", "loaded", "mixed")
    made = {
        name: plan._combining(resolved, cell._replace(strategy=name), 100, 10, 7) for name in ("mixed", "soup", "all")
    }
    assert made == {
        "mixed": 3 * (3 * 110 + 7),
        "soup": 6 * 110 + 7,
        "all": 0,
    }  # three seeds; a greedy soup tries six at most
