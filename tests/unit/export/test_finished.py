"""Which run of a study is meant where none is named."""

import json

import pytest

from ftbench.export import finished

SCORES = {2: (0.9, 0.4, 1.0), 10: (0.8, 0.6, 0.5), 9: (0.8, 0.6, 0.5), 11: (0.8, 0.6, 0.7)}  # accuracy, balanced, NLL


@pytest.fixture
def results(tmp_path):
    for seed, scores in SCORES.items():
        names = ("validation_accuracy", "validation_balanced_accuracy", "validation_nll")
        run = tmp_path / f"runs/photos/small/scratch/seed{seed}/run.json"
        run.parent.mkdir(parents=True)
        run.write_text(json.dumps({"status": "finished", **dict(zip(names, scores))}))
    return tmp_path


@pytest.mark.parametrize(
    "study, seed, said",
    [
        (None, 2, "4 seeds, seed2 is taken: the best validation accuracy\n"),
        ({"selection_metric": "accuracy"}, 2, "the best validation accuracy\n"),
        ({"selection_metric": "balanced_accuracy"}, 9, "seed9 is taken: the best validation balanced accuracy\n"),
        ({"splits": "per_seed", "selection_metric": "accuracy"}, 2, "accuracy, each on validation images of its own"),
    ],
)
def test_a_seed_is_chosen_by_what_the_study_chose_by(results, capsys, study, seed, said):
    if study:
        (results / "study.json").write_text(json.dumps(study | {"datasets": {"photos": {}}}))
    chosen = finished.choose(str(results), "photos", None, None, None, False)
    assert chosen.folder.name == f"seed{seed}" and said in capsys.readouterr().out
