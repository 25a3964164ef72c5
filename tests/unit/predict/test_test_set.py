import numpy as np
import pytest
import small
import torch
from runs_to_predict import seed_run

from ftbench.model import backbones
from ftbench.predict.test_set import predict_test


def predict(folder, runs, **changes):
    predict_test(
        small.run(**changes),
        str(folder / "test_images.npy"),
        str(folder / "test_labels.npy"),
        str(folder / "classes.json"),
        runs=[record for _, _, record, _ in runs],
        models=[model for _, model, _, _ in runs],
        out=[out for _, _, _, out in runs],
    )
    return [np.load(out) for _, _, _, out in runs]


def test_every_seed_gets_the_logits_of_its_own_model_and_normalization(test_part):
    folder, pixels, labels = test_part
    runs = [seed_run(folder, seed) for seed in (0, 1, 2)]
    saved = predict(folder, runs)
    for (backbone, *_), parts in zip(runs, saved):
        expected, _ = backbones.predict(backbone, [torch.from_numpy(pixels)], torch.autocast("cpu", enabled=False))
        assert parts["logits"].dtype == np.float32 and np.allclose(parts["logits"], expected, atol=1e-4)
        assert np.array_equal(parts["labels"], labels) and parts["labels"].dtype == np.int64
        assert np.array_equal(parts["ids"], np.arange(14)) and parts["ids"].dtype == np.int64
    assert not np.allclose(saved[0]["logits"], saved[1]["logits"], atol=1e-2)


def test_a_diverged_run_among_others_has_logits_that_are_no_numbers(test_part):
    folder, _, labels = test_part
    runs = [seed_run(folder, 0), seed_run(folder, 1, "diverged"), seed_run(folder, 2)]
    first, diverged, last = predict(folder, runs)
    assert diverged["logits"].shape == (14, 3) and np.isnan(diverged["logits"]).all()
    assert np.array_equal(diverged["labels"], labels) and np.array_equal(diverged["ids"], np.arange(14))
    assert np.isfinite(first["logits"]).all() and np.isfinite(last["logits"]).all()


def test_a_model_of_another_network_is_an_error(test_part):
    folder, *_ = test_part
    with pytest.raises(RuntimeError, match="resnet|Missing key"):
        predict(folder, [seed_run(folder, 0)], network={"model": "resnet14"})


def test_the_same_bytes_twice(test_part):
    folder, *_ = test_part
    runs = [seed_run(folder, 0)]
    first = predict(folder, runs)[0]["logits"].tobytes()
    torch.manual_seed(9)
    assert predict(folder, runs)[0]["logits"].tobytes() == first
