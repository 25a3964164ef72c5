"""Frozen parts that run once: a step on what was cached is the step on the images, views come in turn, files are those of this run."""

import hashlib
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import small
import torch

from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.data.images import Images
from ftbench.model.prefix import cut
from ftbench.study import grid, kinds
from ftbench.study.cached_views import OPTION
from ftbench.study.checks.view_sizes import passes
from ftbench.train import cache_views as job
from ftbench.train import loop, strategies
from ftbench.train.cache_views import cache_views
from ftbench.train.run import train
from ftbench.train.start import apply_strategy, build, start_run
from ftbench.train.step import Step
from ftbench.train.views import CachedRows, CachedViews, cached_rows

CPU = torch.device("cpu")
VIEWS = 3


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views")
    return small.study(folder) | small.weights(folder)


def views_job(inputs, folder, limit_gb=1.0, own_splits=False, **changes) -> dict:
    """Run the job into `folder`; returns the inputs of a run that reads its files."""
    run = small.run("last_block") | {"kind": "last_block", "augmentation": "crop_flip", "views": VIEWS, "own_splits": own_splits} | changes  # fmt: skip
    paths = {"views": f"{folder}/views.npy", "plain": f"{folder}/plain.npy", "cost": f"{folder}/cost.json"}
    files = {name: inputs[name] for name in ("images", "split", "weights", "record")}
    cache_views(run, **files, **paths, limit_gb=limit_gb)
    return inputs | {"views": paths["views"], "plain": paths["plain"], "views_cost": paths["cost"]}


@pytest.fixture(scope="module")
def cached(pretrained, tmp_path_factory):
    return views_job(pretrained, tmp_path_factory.mktemp("cached"))


def network(inputs, seed=0):
    """A backbone as a run of last_block has it, with a head that is not zero."""
    run = small.run("last_block", seed)
    backbone = build(run, inputs, len(small.CLASSES), read_json(inputs["record"]))
    apply_strategy(backbone, run, small.recipe(), CPU)
    small.randomised(backbone.head_module)
    return backbone


def test_kinds_that_cache_views_start_trained_and_move_the_same_in_every_epoch():
    caching = [kind for kind in kinds.names("strategies") if OPTION in kinds.declared(kind).get("options", {})]
    assert caching
    for kind in caching:
        facts, strategy = kinds.declared(kind), strategies.load(kind)
        assert facts["engine"] == "loop" and facts["start"] in grid.PRETRAINED
        assert (
            strategy.moving is None and strategy.adapt is strategies.Strategy.adapt
        )  # else what is frozen would depend on epoch and recipe


class Rows:
    """Rows in memory, as float32."""

    def __init__(self, rows):
        self.rows = rows

    def batch(self, places):
        return self.rows[torch.from_numpy(np.asarray(places))]


def step_of(inputs, views=None, **recipe) -> Step:
    step = Step(network(inputs), small.loop_data(inputs), small.run("last_block"), small.recipe(**recipe), CPU, views)
    step.seed(0)
    step.open_epoch(0)
    return step


@pytest.mark.parametrize("recipe", [{}, {"accumulate": 2, "clip_norm": 0.5}, {"ema_decay": 0.9, "label_smoothing": 0.1, "class_weights": "balanced"}], ids=str)  # fmt: skip
def test_a_step_on_cached_outputs_of_its_own_views_is_the_step_on_the_images(pretrained, recipe):
    """Loss, gradients' norm, and every tensor of the network, batch norms' statistics included, over two steps."""
    plain = step_of(pretrained, **recipe)
    train, batch = plain.data.train, plain.batch_size
    backbone = network(pretrained)
    halves, generator = cut(backbone.network, "resnet8"), torch.Generator()
    generator.set_state(plain.generator.get_state())
    outputs = torch.zeros(len(train), *halves.prefix(torch.zeros(1, 3, small.SIZE, small.SIZE)).shape[1:])
    for ids in (train[:batch], train[batch : 2 * batch]):  # the views that the loop is about to draw
        seen = plain.augment(plain.data.images.batch(ids), generator)
        outputs[np.searchsorted(train, ids)] = halves.prefix(backbone.to_input(seen))
    views = CachedViews(halves, Rows(outputs), None, CachedRows(train, train[:0]), 1, 0, True)
    behind = Step(backbone, plain.data, small.run("last_block"), small.recipe(**recipe), CPU, views)
    behind.open_epoch(0)
    for number, ids in enumerate((train[:batch], train[batch : 2 * batch])):
        (loss, norm), (other, other_norm) = plain.take(ids, 0, number), behind.take(ids, 0, number)
        assert torch.allclose(loss, other, rtol=1e-5)
        assert (norm is None and other_norm is None) or torch.allclose(norm, other_norm, rtol=1e-4)
    state = behind.backbone.network.state_dict()
    for name, tensor in plain.backbone.network.state_dict().items():
        assert torch.allclose(tensor, state[name], rtol=1e-4, atol=1e-5), name


def test_an_image_takes_its_views_in_turn_and_seeds_begin_elsewhere():
    train = np.arange(3, 23)
    stored = Rows(torch.arange(len(train) * VIEWS).float()[:, None])
    first, other = (CachedViews(SimpleNamespace(suffix=None, answers=None), stored, None, CachedRows(train, train), VIEWS, seed, False) for seed in (0, 1))  # fmt: skip
    seen = torch.stack([first.batch(train, epoch)[:, 0] for epoch in range(2 * VIEWS)], dim=1).numpy()
    assert (seen // VIEWS == np.arange(len(train))[:, None]).all()  # each its own
    assert all(set(row[:VIEWS]) == set(row[VIEWS:]) and len(set(row[:VIEWS])) == VIEWS for row in seen)
    assert not torch.equal(first.batch(train, 0), other.batch(train, 0))
    assert torch.equal(first.batch(train[4:6], 5), first.batch(train, 5)[4:6])  # by image and epoch alone


def test_the_job_writes_half_precision_of_every_view_and_the_plain_image(cached, pretrained):
    record, parts = read_json(cached["views_cost"]), np.load(pretrained["split"])
    views, plain = np.load(cached["views"]), np.load(cached["plain"])
    assert views.dtype == plain.dtype == np.float16
    assert len(views) == VIEWS * len(parts["train"]) and len(plain) == len(parts["validation"])
    assert record["images"] == len(views) + len(plain) and record["view_seconds"] > 0 and record["views"] == VIEWS
    backbone = network(pretrained)
    halves, images = cut(backbone.network, "resnet8"), Images(pretrained["images"], CPU)
    with torch.no_grad():
        expected = halves.prefix(backbone.to_input(images.batch(parts["validation"]))).numpy()
    assert np.array_equal(plain, expected.astype(np.float16))
    assert len({view.tobytes() for view in views}) > len(parts["train"])  # views differ


def test_the_job_gives_the_same_bits_twice(cached, pretrained, tmp_path):
    again = views_job(pretrained, tmp_path)
    assert all(Path(again[name]).read_bytes() == Path(cached[name]).read_bytes() for name in ("views", "plain"))


def test_with_splits_of_their_own_every_image_is_there_in_both_forms(pretrained, tmp_path):
    own, parts = views_job(pretrained, tmp_path, own_splits=True), np.load(pretrained["split"])
    both = len(parts["train"]) + len(parts["validation"])
    assert len(np.load(own["views"])) == VIEWS * both and len(np.load(own["plain"])) == both
    rows = cached_rows(parts["train"], parts["validation"], own_splits=True)
    swapped = cached_rows(parts["validation"], parts["train"], own_splits=True)
    assert rows.digest == swapped.digest == read_json(own["views_cost"])["rows"]
    assert passes(len(parts["train"]), len(parts["validation"]), VIEWS, True) == (VIEWS + 1) * both


def test_a_seed_with_a_split_of_its_own_reads_the_views_of_all_seeds(pretrained, tmp_path):
    own, parts = views_job(pretrained, tmp_path, own_splits=True), dict(np.load(pretrained["split"]))
    other = parts | {
        "train": np.sort(np.r_[parts["train"][18:], parts["validation"]]),
        "validation": parts["train"][:18],
    }
    np.savez(tmp_path / "other.npz", **other)
    outcome = fit(own | {"split": str(tmp_path / "other.npz")}, tmp_path / "r", recipe())
    assert outcome.status == "finished" and outcome.best["validation_accuracy"] > 0.4
    with pytest.raises(InputError, match="views.npy belongs to another run: its rows is"):
        fit(views_job(pretrained, tmp_path) | {"split": str(tmp_path / "other.npz")}, tmp_path / "s", recipe())


def test_views_that_are_too_large_are_refused_before_they_are_computed(pretrained, tmp_path, monkeypatch):
    sentence = r"^config: cached_views 3 for 42 images by resnet8 would take .* cached_views_gb allows \(1e-06\): not even one fits; lower it"
    with pytest.raises(InputError, match=sentence):
        views_job(pretrained, tmp_path, limit_gb=1e-6)
    assert not (tmp_path / "views.npy").exists()
    monkeypatch.setattr(job.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(
        InputError, match=r"^config: cached_views needs .* are free; free some space, or cache fewer views"
    ):
        views_job(pretrained, tmp_path)


def test_a_number_beyond_half_precision_is_refused(pretrained, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "TYPE", SimpleNamespace)
    monkeypatch.setattr(job.np, "finfo", lambda _: SimpleNamespace(max=0.01))
    with pytest.raises(InputError, match="^config: cached_views cannot be used with resnet8, since .* gives .*, which"):
        views_job(pretrained, tmp_path)


# --- runs ------------------------------------------------------------------------------------------------------------


def recipe(**changes) -> dict:
    return small.recipe(cached_views=VIEWS, batch_size=13) | changes


def fit(inputs, resume, given):
    start = start_run(small.run("last_block"), "c", inputs, given)
    return loop.fit(start.backbone, start.data, start.run, start.recipe, CPU, resume, start.identity, start.views)


def test_a_run_reads_them_and_is_charged_for_them(cached, tmp_path):
    paths, given = small.outputs(tmp_path), recipe(epochs=6)
    chosen = small.selected(tmp_path / "selected.json", given)
    train(small.run("last_block"), "c", cached, chosen, **paths)
    record, cost = small.record(tmp_path), read_json(paths["cost"])
    assert cost["view_seconds"] == read_json(cached["views_cost"])["view_seconds"]
    assert record["status"] == "finished" and record["recipe"]["cached_views"] == VIEWS and "views" in record["digests"]
    saved = np.load(paths["val_logits"])
    assert (
        record["validation_accuracy"] == np.mean(saved["logits"].argmax(1) == saved["labels"]) > 0.5
    )  # of the whole network


def test_a_run_that_is_killed_and_resumed_ends_with_the_same_bits(cached, tmp_path, monkeypatch):
    whole = fit(cached, tmp_path / "a", recipe())
    taken, take = [], Step.take

    def interrupted(self, ids, epoch, number, side=None):
        if len(taken) == 4:
            taken.append(None)
            raise KeyboardInterrupt
        taken.append(number)
        return take(self, ids, epoch, number, side)

    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)
    monkeypatch.setattr(Step, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(cached, tmp_path / "b", recipe())
    resumed = fit(cached, tmp_path / "b", recipe())
    assert resumed.resumes == 1 and resumed.best == whole.best
    assert all(torch.equal(tensor, resumed.best_state[name]) for name, tensor in whole.best_state.items())


def test_other_views_are_another_run_and_none_is_the_run_that_lacks_the_key(cached, pretrained, tmp_path):
    def identity(inputs, given):
        return start_run(small.run("last_block"), "c", inputs, given).identity

    without = {key: value for key, value in recipe().items() if key != "cached_views"}
    assert identity(pretrained, without) != identity(cached, recipe())
    assert "views" not in start_run(small.run("last_block"), "c", pretrained, recipe(cached_views=None)).digests
    one, other = fit(pretrained, tmp_path / "a", without), fit(pretrained, tmp_path / "b", recipe(cached_views=None))
    assert all(torch.equal(tensor, other.best_state[name]) for name, tensor in one.best_state.items())


@pytest.mark.parametrize("key, value", [("views", 2), ("place", "layer1"), ("rows", "0" * 64)])
def test_views_of_another_run_are_refused(cached, tmp_path, key, value):
    write_json(tmp_path / "cost.json", read_json(cached["views_cost"]) | {key: value})
    with pytest.raises(InputError, match=rf"views.npy belongs to another run: its {key} is {value}, not .*; delete it"):
        start_run(small.run("last_block"), "c", cached | {"views_cost": str(tmp_path / "cost.json")}, recipe())


def other_images(inputs, folder) -> dict:
    """Other images under the same numbers, with a split that is theirs."""
    images, parts = 255 - np.load(inputs["images"]), dict(np.load(inputs["split"]))
    np.save(folder / "images.npy", images)
    np.savez(folder / "split.npz", **parts | {"images_sha256": hashlib.sha256(images).hexdigest()})
    return {name: str(folder / file) for name, file in (("images", "images.npy"), ("split", "split.npz"))}


@pytest.mark.parametrize(
    "name, inputs, run",
    [
        ("images_sha256", other_images, {}),
        ("weights", lambda inputs, folder: small.weights(folder, seed=99), {}),
        ("network", None, {"network": {"mean": [0.1] * 3, "std": [0.9] * 3}}),
        ("precision", None, {"precision": "bfloat16"}),
    ],
)
def test_views_that_were_made_of_something_else_are_refused(cached, tmp_path, name, inputs, run):
    others = inputs(cached, tmp_path) if inputs else {}
    with pytest.raises(InputError, match=f"views.npy belongs to another run: its {name} is "):
        start_run(small.run("last_block", **run), "c", cached | others, recipe())


def test_views_under_another_augmentation_are_refused(cached):
    with pytest.raises(InputError, match="its augmentation is crop_flip, not crop; delete it"):
        start_run(small.run("last_block"), "c", cached, recipe(augmentation="crop"))


@pytest.mark.parametrize("part", ["views", "plain"])
def test_damaged_views_are_refused(cached, tmp_path, part):
    damaged = bytearray(Path(cached[part]).read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "one.npy").write_bytes(damaged)
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'one.npy'} is damaged: its sha256 is")):
        start_run(small.run("last_block"), "c", cached | {part: str(tmp_path / "one.npy")}, recipe())
