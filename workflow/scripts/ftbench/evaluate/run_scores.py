"""Score one run's test logits: `test_logits.npz` in, `metrics.json` out. No model is loaded.

Validation logits are read for one thing: the temperature, which is fitted on them and applied to the test logits.
"""

import numpy as np

from ftbench.base.errors import InputError
from ftbench.base.files import read_json, write_json
from ftbench.base.logits import load_folds, load_logits
from ftbench.evaluate.metrics import SCORES, listed, scores


def evaluate(logits_path, val_logits_path, run_path, classes_path, out, flipped_path=None) -> None:
    """Write the scores of a run as JSON: all of `ftbench.evaluate.metrics.SCORES`, and these.

    status "finished" or "diverged" (as in run.json; a diverged run has None for every score) and images. per_class is a list of
    {class, precision, recall, recall_low, recall_high, f1, support} in class order, confusion a list of rows, worst_class a name.
    tta_accuracy comes from the logits of the mirrored images, `flipped_path`; it is None without them.
    Raises InputError if the logits do not fit the classes, or a finished run's logits are not finite.
    """
    logits, labels, _ = load_logits(logits_path)
    status = read_json(run_path)["status"]
    classes = read_json(classes_path)
    if logits.shape[1] != len(classes):
        raise InputError(
            f"{logits_path} has logits for {logits.shape[1]} classes and {classes_path} names {len(classes)}: they must agree."
        )
    if status == "diverged":
        # Every metrics.json has the same keys.
        write_json(out, {"status": status, "images": len(labels), **{score.name: None for score in SCORES}})
        return
    validation = load_logits(val_logits_path)[:2]
    for path, values in ((logits_path, logits), (val_logits_path, validation[0])):
        if not np.isfinite(values).all():
            raise InputError(
                f"{path} holds values that are not finite although {run_path} says {status!r}: train this run again."
            )
    folds = [load_folds(path) for path in (logits_path, val_logits_path)]
    mirrored = load_logits(flipped_path)[0] if flipped_path else None
    result = scores(logits, labels, validation, mirrored, folds=None if folds[0] is None else tuple(folds))
    columns = {name: listed(values) for name, values in result["per_class"].items()}
    result["per_class"] = [
        {"class": name, **{key: values[number] for key, values in columns.items()}}
        for number, name in enumerate(classes)
    ]
    result["confusion"] = result["confusion"].tolist()
    result["worst_class"] = classes[result["worst_class"]]
    write_json(out, {"status": status, **result})
