"""The model card of an exported model, README.md in the form of the Hugging Face Hub: what it is, what it can do, what is known against it.

Every number comes from a file of the study or of the export; what the study did not measure is said.
"""

import pandas as pd
import yaml

from ftbench.evaluate.cells import CELL
from ftbench.evaluate.charges import charge
from ftbench.export.complete import pretrained
from ftbench.export.finished import Finished
from ftbench.report.layout.formats import duration, interval, percent

UNKNOWN = "unknown: see where it comes from"


def text(run: Finished, record: dict, about: dict, confidence: dict, proof: dict) -> str:
    metrics = run.read("metrics.json")
    parts = [
        _front(run, record, metrics),
        _intended(run, record, proof),
        _data(run, about),
        _protocol(run, record),
        _scores(run, metrics),
        _classes(metrics),
        _doubt(metrics, confidence),
        _robustness(run),
        _faults(run, about),
        _forms(proof),
        _cost(run, record),
        _licences(run, record, about),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _front(run: Finished, record: dict, metrics: dict) -> list[str]:
    dataset, backbone, strategy = run.cell
    network = record["network"]
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"name": dataset, "type": dataset, "split": "test"},
        "metrics": [{"type": key, "value": metrics[key]} for key in ("accuracy", "macro_f1")],
    }
    name = f"{run.results.name}-{dataset}-{backbone}-{strategy}"
    front = {
        "license": "other",
        "license_name": "see-licences-below",
        "license_link": "#licences",
        "pipeline_tag": "image-classification",
        "library_name": "onnx",
        "tags": ["image-classification", "onnx", network["source"], network["model"], record["kind"]],
        "model-index": [{"name": name, "results": [result]}],
    }
    return ["---", yaml.safe_dump(front, sort_keys=False).strip(), "---", "", f"# {name}"]


def _intended(run: Finished, record: dict, proof: dict) -> list[str]:
    network = record["network"]
    origin = f"{proof['from_original_files']:,} of them from their original files"
    origin += f" ({proof['why_stored']})" if proof["why_stored"] else ""
    return [
        f"`{network['model']}` ({network['source']}), strategy `{record['kind']}`, classifies an image into {len(run.read('classes.json', of_data=True))} "
        "classes (`classes.json`). It knows no other class: an image of anything else gets one of them all the same. See "
        '"Doubt" for what tells such images.',
        "",
        "```",
        "pip install onnxruntime pillow numpy",
        "python example.py photo.jpg",
        "```",
        "",
        f"This folder was proven before it was written: `model.onnx` in float32 gave the study's class on {percent(proof['same_top1'], 2)} % of "
        f"{proof['images']:,} test images, {origin}; the largest difference of a probability was {proof['largest_difference']:.1g} "
        f"(`parity.json`, compared with {proof['compared_with']}).",
    ]


def _data(run: Finished, about: dict) -> list[str]:
    test = run.read("test.json", of_data=True)
    source = about["source"]
    where = source["name"] or source["path"] or source["source"]
    size = f"{about['size'][1]}×{about['size'][0]}"
    return [
        "## Data",
        "",
        f"- Source: {where} (`{source['source']}`){', ' + about['homepage'] if about.get('homepage') else ''}.",
        f"- Images: {about['images']:,} to train and validate, {test['images']:,} to test, stored at {size} pixels (fit: {source['fit']}).",
        f"- sha256 of the training pixels: `{about['sha256']['images']}`.",
    ]


def _protocol(run: Finished, record: dict) -> list[str]:
    recipe = {
        key: value for key, value in (record.get("recipe") or {}).items() if value not in (None, False, 0, "none")
    }
    return [
        "## Protocol",
        "",
        f"- Learning rate, epoch and every other choice were made on validation images. {_sealed(_row(run, 'comparison'))}",
        f"- {'Tuned' if record.get('tuned') else 'Not tuned'}; recipe: {', '.join(f'{k} {v}' for k, v in recipe.items()) or 'none'}; seed {record.get('seed')}.",
        *_made_of(record),
        f"- Arithmetic of the study: {record.get('precision')} on {record.get('device_name')}.",
        f"- Validation accuracy: {percent(record['validation_accuracy'], 2)} %.",
    ]


def _sealed(cell: pd.Series | None) -> str:
    """Whether what the model starts from had seen test images; `cell` is the cell's row of comparison.csv, if there is one."""
    if cell is None or "seen_test_images" not in cell:  # a study that is unfinished, or of an earlier version
        return "No job of this study that trains reads test images; whether its weights saw some before is not in this study's tables yet."
    if cell["seen_test_images"] == 0:
        return "The test images were sealed until training had ended."
    seen = "an unknown number" if pd.isna(cell["seen_test_images"]) else f"{int(cell['seen_test_images']):,}"
    return f"The weights that it starts from were trained on {seen} of the test images, so its scores flatter it."


def _made_of(record: dict) -> list[str]:
    """Of which finished runs its weights are a sum, with the coefficients."""
    if "weights_of_members" not in record:
        return []
    shares = ", ".join(
        f"{name if name == 'start' else f'seed {name}'} {share:.3g}"
        for name, share in record["weights_of_members"].items()
        if share
    )
    said = f"- Its weights are a sum of those of finished runs of {record['of']}: {shares}"
    statistics = record.get("statistics")
    return [said + f"; statistics of its batch norms: {statistics}" * bool(statistics) + "."]


def _row(run: Finished, table: str) -> pd.Series | None:
    """The cell's row of a table of the study; None if the table or the row is missing."""
    path = run.results / "tables" / f"{table}.csv"
    if not path.exists():
        return None
    frame = pd.read_csv(path, dtype=dict.fromkeys(CELL, str))
    own = frame[(frame[CELL] == list(run.cell)).all(axis=1)]
    return None if own.empty else own.iloc[0]


def _scores(run: Finished, metrics: dict) -> list[str]:
    low, high = metrics["accuracy_bootstrap_low"], metrics["accuracy_bootstrap_high"]
    lines = [
        "## Scores on the test set",
        "",
        "| score | this model |",
        "|---|---|",
        f"| accuracy, % (95 % interval over test images) | {interval(metrics['accuracy'], low, high)} |",
        f"| balanced accuracy, % | {percent(metrics['balanced_accuracy'], 2)} |",
        f"| macro F1, % | {percent(metrics['macro_f1'], 2)} |",
        f"| worst class, % | {percent(metrics['worst_class_accuracy'], 1)} ({metrics['worst_class']}) |",
        f"| negative log-likelihood, nats | {metrics['nll']:.3f} |",
    ]
    cell = _row(run, "comparison")
    if cell is not None and pd.notna(cell["accuracy_mean"]):
        both = interval(cell["accuracy_mean"], cell["accuracy_ci_low"], cell["accuracy_ci_high"])
        lines += ["", f"The cell's mean over {cell['seeds']} seed(s), with a 95 % interval over seeds and test images: {both} %."]  # fmt: skip
    return lines


def _classes(metrics: dict) -> list[str]:
    lines = ["## Per class", "", "| class | test images | precision, % | recall, % (95 %) | F1, % |", "|---|---|---|---|---|"]  # fmt: skip
    for entry in metrics["per_class"]:
        recall = "-"
        if entry["recall_low"] is not None:
            recall = interval(entry["recall"], entry["recall_low"], entry["recall_high"])
        name = str(entry["class"]).replace("|", "\\|")
        lines.append(
            f"| {name} | {entry['support']} | {percent(entry['precision'])} | {recall} | {percent(entry['f1'])} |"
        )
    return lines


def _doubt(metrics: dict, confidence: dict) -> list[str]:
    lines = [
        "## Doubt",
        "",
        f"Probabilities are divided by the temperature {confidence['temperature']:.3f}, fitted on {confidence['validation_images']:,} validation "
        f"images: the expected calibration error on test is {percent(metrics['ece_scaled'], 2)} % with it, {percent(metrics['ece'], 2)} % without.",
        "",
        "From this confidence on, answers were promised to be right so often (proven on validation with 95 % confidence):",
        "",
        "| promised, % | confidence from | answered on test, % | right of these, % (95 %) |",
        "|---|---|---|---|",
    ]
    for entry in confidence["promises"]:
        test, promised = entry["test"], percent(entry["precision"], 0)
        if entry["threshold"] is None:
            lines.append(f"| {promised} | none: the validation images prove no such precision | 0 | - |")
            continue
        right = "-"
        if test["precision"] is not None:
            right = interval(test["precision"], test["precision_low"], test["precision_high"])
        lines.append(f"| {promised} | {entry['threshold']:.3f} | {percent(test['coverage'])} | {right} |")
    lines += ["", "Sets of classes that hold the true one (split conformal prediction, bounds from validation):", ""]
    lines += ["| method | promised, % | held on test, % (95 %) | expected at least, % | mean size | kept |", "|---|---|---|---|---|---|"]  # fmt: skip
    for entry in confidence["sets"]:
        test = entry["test"]
        held = interval(test["coverage"], test["coverage_low"], test["coverage_high"])
        lines.append(
            f"| {entry['method']} | {percent(1 - entry['alpha'], 0)} | {held} | {percent(test['expected_low'])} | {test['mean_size']:.2f} | "
            f"{'yes' if test['kept'] else 'NO'} |"
        )
    return lines + ["", *_unlike(confidence["unlike"])]


def _unlike(unlike: dict | None) -> list[str]:
    if unlike is None:
        return ["How unlike the training images an image is cannot be said: this network has no feature vector."]
    noise = unlike["noise"]
    return [
        f"An image is called unlike the training images if its features lie farther than {unlike['threshold']:.3f} from the {unlike['k']}th nearest of "
        f"{unlike['reference_images']:,} training images. That calls {percent(unlike['alarms_test'])} % of the test images unlike, and "
        f"{percent(noise['called_unlike'])} % of {noise['images']} images of {noise['kind']} (AUROC {percent(noise['auroc'])} %). Noise is far from any "
        "photo: other strange images may be harder to tell.",
    ]


def _robustness(run: Finished) -> list[str]:
    row = _row(run, "robustness")
    if row is None:
        return ["## Robustness", "", "Not measured: the study's config did not ask for corrupted test images."]
    return [
        "## Robustness",
        "",
        f"Mean accuracy on corrupted test images: {percent(row['accuracy_corrupted'])} %.",
    ]


def _faults(run: Finished, about: dict) -> list[str]:
    lines = ["## Known faults of the data", ""]
    audit = run.read_optional(run.data / "audit" / "audit.json")
    if audit is None:
        lines.append("- No audit was made.")
    else:
        lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in sorted(audit.items()) if isinstance(value, int)]  # fmt: skip
    twice = about.get("contradictory", {}).get("images", 0)
    lines.append(f"- training images whose equals have another label: {twice}")
    lines.append(f"- training images that could not be read and were skipped: {len(about.get('skipped', []))}")
    lines += [f"- {note}" for note in about.get("notes", [])]
    return lines


def _forms(proof: dict) -> list[str]:
    lines = [
        "## Forms",
        "",
        "| dtype | accuracy, % | difference to float32, points (95 %, paired) | ms per image, alone | in batches of 32 | MB |",
        "|---|---|---|---|---|---|",
    ]
    for form in proof["forms"]:
        gap = "-"
        if form["dtype"] != "float32":
            gap = f"{100 * form['difference']:+.2f} ({100 * form['ci_low']:+.2f} to {100 * form['ci_high']:+.2f})"
        lines.append(
            f"| {form['dtype']} | {percent(form['accuracy'], 2)} | {gap} | {form['latency_ms_batch1']:.2f} | {form['latency_ms_batch32']:.2f} | "
            f"{form['bytes'] / 1e6:.2f} |"
        )
    return [*lines, "", f"Times are of the machine that exported it ({proof['forms'][0]['cores']} cores)."]


def _cost(run: Finished, record: dict) -> list[str]:
    cost = run.read("cost.json")
    # With the features that it reads, the probe that it starts from and the finished runs that it is made of.
    charged = charge(cost, 0.0)["train_seconds"]
    lines = [
        "## Cost",
        "",
        f"- Training this model, with all that it stands on: {duration(charged)} on {cost['device_name']}.",
    ]
    cell = _row(run, "comparison")
    if cell is not None and pd.notna(cell["tuning_seconds"]):
        lines.append(f"- Tuning, all trials: {duration(cell['tuning_seconds'])}.")
    return [*lines, f"- Parameters: {record['total_params']:,}, of which {record['trainable_params']:,} were trained."]


def _licences(run: Finished, record: dict, about: dict) -> list[str]:
    network, lines = record["network"], ["## Licences", ""]
    if network["weights"] == "none":
        lines.append("- Weights: trained from random numbers by this study.")
    else:
        _, weights = pretrained(run, network)
        lines.append(f"- Pretrained weights: {weights.get('licence') or UNKNOWN} ({weights.get('origin') or network['weights']}).")  # fmt: skip
    lines.append(f"- Data: {about.get('licence') or UNKNOWN}.")
    return [*lines, "- Code in this folder (`example.py`, `image_reader/`): Apache-2.0 (`image_reader/LICENSE`)."]
