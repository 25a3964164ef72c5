"""Cells that are made of finished runs: they are those runs where they must be, and are charged with all of them."""

import csv

import numpy as np
import pytest
import small
import torch
from safetensors.torch import load_file
from test_run import train

from ftbench.base.files import read_json, write_json
from ftbench.base.logits import load_logits
from ftbench.data.images import read_data
from ftbench.evaluate.charges import charge
from ftbench.model import backbones
from ftbench.predict.together import predict_together
from ftbench.study import config, grid, settings
from ftbench.train import strategies
from ftbench.train.combined import weights
from ftbench.train.combined.answers import combine_answers
from ftbench.train.combined.mix import Mixer, mixed
from ftbench.train.combined.weights import combine_weights
from ftbench.train.strategies import ensemble, soup, wise_ft

SEEDS = [0, 1, 2]
ALPHAS = [0.0, 0.5, 1.0]
METRICS = ("validation_accuracy", "validation_balanced_accuracy", "validation_nll")


def study() -> dict:
    """A study whose cells these are: three seeds of fine-tuning from weights, and what is made of them."""
    return config.resolve(
        {
            "study": "small",
            "seeds": SEEDS,
            "device": "cpu",
            "threads": 1,
            "datasets": {"colours": {"source": "digits"}},
            "backbones": {
                "resnet8": {
                    "source": "ftbench",
                    "model": "resnet8",
                    "weights": "file:x",
                    **small.STATISTICS,
                    "image_size": small.SIZE,
                }
            },
            "training": {"epochs": 2, "batch_size": 20},
            "tuning": {"seed": 9},
            "strategies": {
                "probe": {"kind": "linear_probe"},
                "finetune": {"kind": "finetune", "learning_rate": 0.01},
                "together": {"kind": "ensemble", "of": "finetune"},
                "greedy": {"kind": "soup", "of": "finetune"},
                "uniform": {"kind": "soup", "of": "finetune", "soup": "uniform"},
                "mixed": {"kind": "wise_ft", "of": "finetune", "alpha": ALPHAS},
            },
        }
    )


def settings_of(strategy: str, **changes) -> dict:
    run = settings.combined_run(study(), grid.Cell("colours", "resnet8", strategy))
    return run | {"network": small.NETWORK} | small.MACHINE | changes


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(inputs, the outputs of each seed, the probe's files, selected.json): not to be changed."""
    folder = tmp_path_factory.mktemp("members")
    inputs = small.study(folder / "data")
    inputs |= small.weights(folder)
    runs = [train(folder / f"seed{seed}", inputs, "finetune", seed) for seed in SEEDS]
    probe = small.probe_job(folder / "probe", inputs)
    selected = folder / "selected_of_members.json"
    write_json(selected, {"trials": [{"learning_rate": 0.01}], "tuning_seconds": 5.0})
    return inputs, runs, probe, str(selected)


def made(finished, folder, strategy: str, seeds=SEEDS, outputs=1, start=False, **changes) -> tuple[dict, list[dict]]:
    """Make a cell of the runs with these seeds: (selected.json, the files of each made run)."""
    inputs, runs, probe, selected = finished
    own = [runs[seed] for seed in seeds]
    names = {"run": "run_json", "cost": "cost", "val_logits": "val_logits", "model": "model"}
    files = {name: [run[key] for run in own] for name, key in names.items()} | {"of_selected": selected}
    if start:
        files |= {"weights": inputs["weights"], "record": inputs["record"], "normalization": []}
        files |= {"probe_model": probe["model"], "probe_cost": probe["cost"]}
    run, out = settings_of(strategy, members=list(seeds), **changes), str(folder / "selected.json")
    paths = [small.outputs(folder / f"seed{place}") for place in range(outputs)]
    paths = [{name: path[key] for name, key in (*names.items(), ("history", "history"))} for path in paths]
    if strategy == "together":
        files.pop("model")
        paths[0].pop("model")
        combine_answers(run, "c" * 16, files, out, run_json=paths[0].pop("run"), **paths[0])
        paths[0]["run"] = str(folder / "seed0" / "run.json")
    else:
        files |= {"images": inputs["images"], "split": inputs["split"]}
        combine_weights(run, "c" * 16, files, out, paths)
    return read_json(out), paths


def same_tensors(a: str, b: str) -> bool:
    one, other = load_file(a), load_file(b)
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


# --- what a made cell is ---------------------------------------------------------------------------------------------


def test_an_ensemble_of_one_seed_answers_as_the_run(finished, tmp_path):
    _, (paths,) = made(finished, tmp_path, "together", [1])
    own, other = load_logits(paths["val_logits"]), load_logits(finished[1][1]["val_logits"])
    probabilities = [
        np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)) for logits in (own[0], other[0])
    ]
    assert np.allclose(*probabilities, atol=1e-6) and all(np.array_equal(*pair) for pair in zip(own[1:], other[1:]))
    records = [read_json(path) for path in (paths["run"], finished[1][1]["run_json"])]
    assert [records[0][name] for name in METRICS] == pytest.approx([records[1][name] for name in METRICS])


def test_an_ensemble_is_the_mean_of_probabilities_whatever_is_added_to_logits():
    logits = np.log([[[0.9, 0.1]], [[0.5, 0.5]], [[0.1, 0.9]]])
    assert np.exp(ensemble.answers(logits)) == pytest.approx(np.array([[0.5, 0.5]]))
    assert ensemble.answers(logits + [[[1e3]], [[-50]], [[0]]]) == pytest.approx(ensemble.answers(logits), abs=1e-5)
    assert ensemble.answers(logits).dtype == np.float32


@pytest.mark.parametrize("strategy", ["greedy", "uniform"])
def test_a_soup_of_equal_weights_is_the_run_to_the_bit(finished, tmp_path, strategy):
    _, (paths,) = made(finished, tmp_path, strategy, [2, 2, 2])
    assert same_tensors(paths["model"], finished[1][2]["model"])
    record, own = read_json(paths["run"]), read_json(finished[1][2]["run_json"])
    assert [record[name] for name in METRICS] == pytest.approx([own[name] for name in METRICS], abs=1e-6)


def test_a_greedy_soup_never_validates_below_its_best_member(finished, tmp_path):
    _, (paths,) = made(finished, tmp_path, "greedy")
    members = [read_json(run["run_json"])["validation_accuracy"] for run in finished[1]]
    record = read_json(paths["run"])
    assert record["validation_accuracy"] >= max(members)
    kept = [weight for weight in record["weights_of_members"].values() if weight]
    assert set(record["weights_of_members"]) == {"0", "1", "2"} and kept == [1 / len(kept)] * len(kept)


@pytest.mark.parametrize("seed", range(20))
def test_the_greedy_search_keeps_what_does_not_harm(seed):
    random = np.random.default_rng(seed)
    reached = {}

    def score(coefficients):
        return reached.setdefault(coefficients, (float(random.integers(4)), 0.0))

    chosen = soup.search(score, 4, {"soup": "greedy"})
    alone = [reached[tuple(float(place == own) for place in range(4))] for own in range(4)]
    assert reached[chosen] >= max(alone) and sum(chosen) == pytest.approx(1) and len(reached) <= 7


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_wise_ft_ends_at_the_start_and_at_the_fine_tuned_runs(finished, tmp_path, alpha):
    selected, paths = made(finished, tmp_path, "mixed", outputs=3, start=True, options={"alpha": [alpha]})
    assert (selected["parameter"], selected["chosen"], selected["at_grid_edge"]) == ("alpha", alpha, False)
    for own, run in zip(paths, finished[1]):
        assert same_tensors(own["model"], run["model"]) == (alpha == 1)
        expected = run["val_logits"] if alpha else finished[2]["val_logits"]
        made_logits, own_logits = load_logits(own["val_logits"])[0], load_logits(expected)[0]
        assert np.array_equal(made_logits, own_logits) if alpha else np.allclose(made_logits, own_logits, atol=1e-4)


def test_wise_ft_takes_the_share_that_validates_best_for_all_seeds(finished, tmp_path):
    selected, paths = made(finished, tmp_path, "mixed", outputs=3, start=True)
    assert [trial["alpha"] for trial in selected["trials"]] == ALPHAS and selected["chosen"] in ALPHAS
    best = max(trial["validation_accuracy"] for trial in selected["trials"])
    records = [read_json(own["run"]) for own in paths]
    assert np.mean([record["validation_accuracy"] for record in records]) == pytest.approx(best)
    assert [record["seed"] for record in records] == SEEDS and all(record["stochastic"] for record in records)
    assert wise_ft.search(lambda _: (1.0, -1.0), 2, {"alpha": ALPHAS}) == (0.0, 1.0)  # a tie


def is_statistic(name: str) -> bool:
    return name.endswith(("running_mean", "running_var"))


def test_validation_chooses_between_two_ways_to_the_statistics_of_norms(finished, tmp_path):
    selected, (paths,) = made(finished, tmp_path, "uniform")
    states = [load_file(run["model"]) for run in finished[1]]
    own, mean, record = load_file(paths["model"]), mixed(states, (1 / 3,) * 3), read_json(paths["run"])
    with open(paths["history"]) as stream:
        tried = {row["statistics"]: float(row["validation_accuracy"]) for row in csv.DictReader(stream)}
    assert tried.keys() == {"averaged", "measured"} and tried[record["statistics"]] == max(tried.values())
    assert record["validation_accuracy"] == pytest.approx(max(tried.values())) and not selected["trials"]
    learned = [name for name in own if not is_statistic(name) and not name.endswith("num_batches_tracked")]
    assert all(torch.equal(own[name], mean[name]) for name in learned)
    averaged = [torch.equal(own[name], mean[name]) for name in own if is_statistic(name)]
    assert averaged == [record["statistics"] == "averaged"] * len(averaged)


def mixer(finished, tmp_path) -> Mixer:
    """Of one seed and the pretrained network under the probe's head."""
    inputs, runs, probe, _ = finished
    run = settings_of("mixed", members=[0]) | {"seed": 0}
    files = {"weights": inputs["weights"], "record": inputs["record"], "normalization": None}
    files |= {"probe": {"model": probe["model"], "cost": probe["cost"]}}
    device = torch.device("cpu")
    data = read_data(inputs, device)
    start = weights._start(run, files, data.classes)
    record = read_json(runs[0]["run_json"])
    backbone = backbones.build(small.NETWORK, data.classes, 0, None, record["normalization"])
    backbones.prepare(backbone, run, device)
    return Mixer(backbone, data, run, [[start, load_file(runs[0]["model"])]])


def test_statistics_of_a_mixture_begin_and_end_at_those_of_its_networks(finished, tmp_path):
    made = mixer(finished, tmp_path)
    (states,) = made.sources
    for ends, state in (((1.0, 0.0), states[0]), ((0.0, 1.0), states[1])):
        made.make(states, ends, None)
        own = made.backbone.network.state_dict()
        assert all(torch.equal(own[name], state[name]) for name in state)
    near = made.make(states, (1 - 1e-6, 1e-6), "averaged")
    assert np.allclose(near, made.make(states, (1.0, 0.0), None), atol=1e-3)
    assert not np.allclose(near, made.make(states, (1 - 1e-6, 1e-6), "measured"), atol=1e-3)


def test_a_combination_counts_the_better_statistics_and_the_time_of_both(finished, tmp_path):
    made = mixer(finished, tmp_path)
    reached = made.score((0.5, 0.5))
    made.score((0.0, 1.0))
    assert [row["statistics"] for row in made.tried] == ["averaged", "measured", None] and made.combinations == 2
    rows, best = made.tried[:2], made.best((0.5, 0.5))
    assert reached == max((row["validation_accuracy"], -row["validation_nll"]) for row in rows)
    assert best["seconds"] == sum(row["seconds"] for row in rows) and {row["trial"] for row in rows} == {0}


# --- what it is charged, and how it is marked ------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["together", "greedy"])
def test_a_made_cell_is_charged_with_every_run_and_their_tuning(finished, tmp_path, strategy):
    selected, (paths,) = made(finished, tmp_path, strategy)
    own = read_json(paths["cost"])
    charged = charge(own, selected["tuning_seconds"])
    trained = sum(read_json(run["cost"])["train_seconds"] for run in finished[1])
    assert charged["train_seconds"] == pytest.approx(own["train_seconds"] + trained)
    assert charged["tuning_seconds"] == pytest.approx(5.0 + selected["tuning_seconds"])


def test_wise_ft_is_charged_its_seed_and_the_probe(finished, tmp_path):
    selected, paths = made(finished, tmp_path, "mixed", outputs=3, start=True)
    probe = read_json(finished[2]["cost"])
    for own, run in zip(paths, finished[1]):
        cost = read_json(own["cost"])
        charged = charge(cost, selected["tuning_seconds"])
        assert charged["borrowed_seconds"] == pytest.approx(
            read_json(run["cost"])["train_seconds"] + probe["train_seconds"]
        )
        assert charged["feature_seconds"] == probe["feature_seconds"]


def test_what_all_seeds_made_is_marked_as_these_models(finished, tmp_path):
    for strategy, networks in (("together", 3), ("greedy", 1)):
        _, (paths,) = made(finished, tmp_path / strategy, strategy)
        record, member = read_json(paths["run"]), read_json(finished[1][0]["run_json"])
        assert (record["stochastic"], record["of_recipe"], record["networks"]) == (False, False, networks)
        assert record["total_params"] == networks * member["total_params"]
        assert [one["seed"] for one in record["members"]] == SEEDS


def test_test_logits_of_an_ensemble_come_from_those_of_its_finished_members(finished, tmp_path):
    runs, logits = ([run[name] for run in finished[1]] for name in ("run_json", "val_logits"))
    diverged = str(tmp_path / "diverged.json")
    write_json(diverged, {"status": "diverged"})
    predict_together("ensemble", [diverged, *runs[1:]], logits, str(tmp_path / "out.npz"))
    saved = np.stack([load_logits(path)[0] for path in logits[1:]])
    assert np.array_equal(load_logits(tmp_path / "out.npz")[0], strategies.load("ensemble").answers(saved))
