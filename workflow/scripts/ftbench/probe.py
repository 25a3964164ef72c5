"""The linear probe: multinomial logistic regression on cached features, every L2 penalty in one job.

Features are standardised over the training rows, fitted by L-BFGS (scikit-learn), and the standardisation is folded into
the head, so that the result is an ordinary linear layer on the backbone's features. The penalty is chosen on validation.
Nothing in it is random. SimCLR (arXiv:2002.05709, appendix B) and Kumar et al. 2022 fit their probes like this.
"""

import time

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from ftbench.devices import device_name, peak_memory_mb, versions
from ftbench.features import training_rows
from ftbench.files import atomic_write, digest, read_json, sha256_of_file, write_json, write_npz
from ftbench.loop import validation_scores
from ftbench.training import digest_of_tensors

MAX_ITERATIONS = 1000
TOLERANCE = 1e-4  # of the largest gradient component
RARE = 0.1  # of the root mean square of the features' standard deviations: the smallest that a feature is divided by


def fit_head(features: np.ndarray, labels: np.ndarray, classes: int, l2: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Fit on features (N, D) and labels (N,) and return weight (C, D) float32, bias (C,) float32 and the iterations.

    Minimises mean cross-entropy + l2/2 · |W|² over standardised features (see RARE); the bias is not penalised. Raises nothing on
    non-convergence: it is reported and the solution at MAX_ITERATIONS is used.
    """
    mean, std = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    # A feature that fires on one image in a thousand would be blown up a thousandfold. On EfficientNet-lite0 at 32
    # pixels, where most features are almost dead, the floor took the test NLL of a probe from 4.1 to 0.8.
    std = np.maximum(std, RARE * np.sqrt(np.mean(std**2)))
    std[std == 0] = 1.0  # all features constant: every weight stays zero
    standardised = ((features - mean) / std).astype(np.float64)
    if classes == 2:  # scikit-learn fits one logit w; |W|² of the two heads ±w/2 is w²/2
        l2 = l2 / 2
    model = LogisticRegression(C=1.0 / (l2 * len(labels)) if l2 > 0 else np.inf, max_iter=MAX_ITERATIONS, tol=TOLERANCE)
    model.fit(standardised, labels)
    weight, bias = model.coef_, model.intercept_
    if classes == 2:  # two logits that differ by the one give the same probabilities
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    folded = weight / std
    return (
        np.ascontiguousarray(folded, np.float32),
        (bias - folded @ mean).astype(np.float32),
        int(np.max(model.n_iter_)),
    )


def head_logits(features: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """features (N, D) -> logits (N, C) float32."""
    return features @ weight.T + bias


def fit_probe(
    run: dict,
    code: str,
    features: str,
    features_cost: str,
    labels: str,
    split: str,
    classes: str,
    data: str,
    record: str,
    selected: str,
    model: str,
    history: str,
    run_json: str,
    cost: str,
    val_logits: str,
) -> None:
    """Fit one head per penalty in `run["l2"]`, choose by validation (ties to the larger penalty), write the run's files.

    `features` (N, D) are the rows of `training_rows(split)`. `model` gets the head alone, under the network's names.
    """
    start = time.perf_counter()
    torch.set_num_threads(run["threads"])
    vectors, extraction = np.load(features), read_json(features_cost)
    parts, target, names = np.load(split), np.load(labels), read_json(classes)
    rows = training_rows(split)
    train, validation = np.searchsorted(rows, parts["train"]), np.searchsorted(rows, parts["validation"])
    y = target[rows]
    trials, heads = [], []
    with threadpool_limits(run["threads"]):
        for number, l2 in enumerate(run["l2"]):
            begun = time.perf_counter()
            weight, bias, iterations = fit_head(vectors[train], y[train], len(names), l2)
            heads.append((weight, bias))
            logits = head_logits(vectors[validation], weight, bias)
            scores = validation_scores(logits, y[validation])
            train_nll = validation_scores(head_logits(vectors[train], weight, bias), y[train])["validation_nll"]
            seconds = time.perf_counter() - begun
            trials.append(
                {
                    "trial": number,
                    "l2": l2,
                    "status": "finished",
                    **scores,
                    "train_nll": train_nll,
                    "iterations": iterations,
                    "seconds": seconds,
                }
            )
            converged = "" if iterations < MAX_ITERATIONS else " (stopped before convergence)"
            print(
                f"L2 {l2:g}: validation accuracy {scores['validation_accuracy']:.4f}, {iterations} iterations{converged}, {seconds:.1f} s"
            )
    metric = f"validation_{run['selection_metric']}"
    best = max(trials, key=lambda trial: (trial[metric], trial["l2"]))
    edge = len(trials) > 1 and best["l2"] in (min(run["l2"]), max(run["l2"]))
    weight, bias = heads[best["trial"]]
    head = {
        f"{extraction['head']}.weight": torch.from_numpy(weight),
        f"{extraction['head']}.bias": torch.from_numpy(bias),
    }
    recipe = {"l2": best["l2"], "augmentation": "none", "optimizer": "l-bfgs"}
    with atomic_write(model) as temporary:
        save_file(head, temporary, metadata={"status": "finished"})
    write_npz(
        val_logits, logits=head_logits(vectors[validation], weight, bias), labels=y[validation], ids=parts["validation"]
    )
    with atomic_write(history) as temporary:
        pd.DataFrame(trials)[
            ["l2", "train_nll", "validation_accuracy", "validation_nll", "iterations", "seconds"]
        ].to_csv(temporary, index=False)
    write_json(
        selected,
        {
            "status": "finished",
            "diverged": None,
            "tuned": True,
            "parameter": "l2",
            "chosen": best["l2"],
            "trial": best["trial"],
            "at_grid_edge": edge,
            "selection_metric": run["selection_metric"],
            "trials": trials,
            "recipe": recipe,
            "tuning_seconds": sum(trial["seconds"] for trial in trials) - best["seconds"],
        },
    )
    digests = {
        "data": read_json(data)["digest"],
        "weights": read_json(record)["sha256"],
        "code": code,
        "model": digest_of_tensors(head),
        "model_file": sha256_of_file(model),
    }
    digests["split"] = digest_of_tensors(dict(parts))
    write_json(
        run_json,
        {
            **{key: run[key] for key in ("dataset", "backbone", "strategy", "kind", "network", "precision", "threads")},
            "seed": 0,
            "status": "finished",
            "diverged": None,
            "stochastic": False,
            "tuned": True,
            "recipe": recipe,
            "best_epoch": None,
            "epochs": 0,
            **{key: best[key] for key in ("validation_accuracy", "validation_balanced_accuracy", "validation_nll")},
            "trainable_params": weight.size + bias.size,
            "total_params": extraction["backbone_params"] + weight.size + bias.size,
            "device": extraction["device"],
            "device_name": extraction["device_name"],
            "versions": versions(),
            "digests": digests,
            "identity": digest({"run": run, "digests": digests}),
        },
    )
    cpu = torch.device("cpu")
    write_json(
        cost,
        {
            "train_seconds": best["seconds"],
            "feature_seconds": extraction["feature_seconds"],
            "tuning_seconds": sum(trial["seconds"] for trial in trials) - best["seconds"],
            "images_per_second": extraction["images_per_second"],
            "peak_memory_mb": max(extraction["peak_memory_mb"], peak_memory_mb(cpu)),
            "threads": run["threads"],
            "resumes": 0,
            "device": extraction["device"],
            "device_name": extraction["device_name"],
            "fit_device_name": device_name(cpu),
            "probe": None,
        },
    )
    print(
        f"chose L2 {best['l2']:g}: validation accuracy {best['validation_accuracy']:.4f}, {time.perf_counter() - start:.1f} s in all"
    )


def predict_with_head(features: str, models: list[str], labels: str, out: list[str]) -> None:
    """Write test_logits.npz for every fitted head in `models` from the cached test features."""
    vectors, target = np.load(features), np.load(labels)
    for model, path in zip(models, out):
        head = load_file(model)
        (weight,) = (tensor.numpy() for name, tensor in head.items() if name.endswith(".weight"))
        (bias,) = (tensor.numpy() for name, tensor in head.items() if name.endswith(".bias"))
        write_npz(path, logits=head_logits(vectors, weight, bias), labels=target, ids=np.arange(len(target)))
