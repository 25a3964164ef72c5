# %% [markdown]
# finetune-bench as a library: the functions behind the jobs, called with plain values. Open this file as a notebook
# (VS Code, or `jupytext --to ipynb`), or run it:  python examples/library.py [folder]
#
# It fine-tunes a small network on scanned digits by two recipes and says which is better, with an interval: what one
# cell of a study does, file by file. Half a minute on one CPU core, no network.

# %%
import json
import sys
import tempfile
from pathlib import Path

import pandas as pd

from ftbench.compare.comparison import compare
from ftbench.data.normalization import compute_normalization
from ftbench.data.prepare import prepare_test, prepare_train
from ftbench.data.split import split_dataset
from ftbench.evaluate.run_scores import evaluate
from ftbench.predict.test_set import predict_test
from ftbench.study import grid, settings
from ftbench.study.config import resolve
from ftbench.train.run import train

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="ftbench-"))

# %% [markdown]
# A config is checked and filled with defaults by the same door that the workflow uses; a wrong key gets one sentence.

# %%
study = resolve(
    {
        "study": "example",
        "seeds": [0, 1],
        "device": "cpu",
        "threads": 1,
        "datasets": {"digits": {"source": "digits", "train_limit": 40, "flip": False}},
        "backbones": {"small": {"source": "ftbench", "model": "resnet8", "weights": "none", "image_size": 8}},
        "training": {"epochs": 4, "batch_size": 32, "optimizer": "adamw", "augmentation": "crop"},
        "strategies": {
            "low": {"kind": "scratch", "learning_rate": 0.0003},
            "high": {"kind": "scratch", "learning_rate": 0.01},
        },
    }
)

# %% [markdown]
# Images become arrays once; the test part apart from the rest, and only to be opened at the end.

# %%
data = folder / "data"
dataset = settings.prepare(study, "digits")
files = {name: data / f"{name}.npy" for name in ("images", "labels", "groups", "test_images", "test_labels")}
prepare_train(
    dataset,
    None,
    images=files["images"],
    labels=files["labels"],
    groups=files["groups"],
    classes=data / "classes.json",
    files=data / "files.csv",
    summary=data / "train.json",
)
split_dataset(
    files["labels"], files["groups"], data / "train.json", settings.split(study, "digits"), data / "split.npz"
)
compute_normalization(files["images"], data / "split.npz", data / "normalization.json")

# %% [markdown]
# A run is a dict of settings, the files that it reads and a recipe. It writes the network of its best epoch, its
# history and its record; if it is interrupted, the next call goes on from `resume`.

# %%
inputs = {
    "images": files["images"],
    "split": data / "split.npz",
    "normalization": data / "normalization.json",
    **dict.fromkeys(("weights", "record", "probe")),  # a network from scratch has none
}


def run_of(cell: grid.Cell, seed: int) -> Path:
    out = folder / "runs" / cell.strategy / f"seed{seed}"
    out.mkdir(parents=True, exist_ok=True)
    # As the choice among tuning trials would write it.
    recipe = settings.run(study, cell, seed)["recipe"]
    chosen = {"status": "finished", "tuned": False}
    chosen["recipe"] = recipe | {"learning_rate": study["strategies"][cell.strategy]["learning_rate"]}
    (out / "recipe.json").write_text(json.dumps(chosen))
    train(
        run=settings.run(study, cell, seed),
        code="example",
        inputs=inputs,
        recipe=out / "recipe.json",
        model=out / "model.safetensors",
        history=out / "history.csv",
        run_json=out / "run.json",
        cost=out / "cost.json",
        val_logits=out / "val_logits.npz",
        resume=out / "model.safetensors.resume",
    )
    return out


runs = {(cell, seed): run_of(cell, seed) for cell in grid.cells(study) for seed in study["seeds"]}

# %% [markdown]
# The test set is opened: logits first, then everything from the logits.

# %%
prepare_test(
    dataset,
    None,
    classes=data / "classes.json",
    images=files["test_images"],
    labels=files["test_labels"],
    files=data / "test_files.csv",
    summary=data / "test.json",
)
predict_test(
    run=settings.machine(study, "small"),
    images=files["test_images"],
    labels=files["test_labels"],
    classes=data / "classes.json",
    runs=[out / "run.json" for out in runs.values()],
    models=[out / "model.safetensors" for out in runs.values()],
    out=[out / "test_logits.npz" for out in runs.values()],
    data=data / "test.json",
)
for out in runs.values():
    logits, validation = out / "test_logits.npz", out / "val_logits.npz"
    evaluate(logits, validation, out / "run.json", data / "classes.json", out / "metrics.json")

# %% [markdown]
# Intervals of both cells, over test images and seeds, and the test of their difference.

# %%
labelled = [
    {
        "labels": cell._asdict() | {"seed": seed},
        "run": out / "run.json",
        "test_logits": out / "test_logits.npz",
    }
    for (cell, seed), out in runs.items()
]
compare(labelled, "accuracy", *(folder / f"{name}.csv" for name in ("cells", "pairwise", "differences", "classes")))
print(pd.read_csv(folder / "cells.csv")[["strategy", "seeds", "accuracy_mean", "accuracy_ci_low", "accuracy_ci_high"]])
pair = pd.read_csv(folder / "pairwise.csv").iloc[0]
print(f"{pair.strategy_a} minus {pair.strategy_b}: {pair.difference:.3f} [{pair.ci_low:.3f}, {pair.ci_high:.3f}]")
