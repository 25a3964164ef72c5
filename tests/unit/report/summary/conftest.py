"""The folder of a finished study, made of random logits: all that the summary reads."""

import numpy as np
import pytest
from unit.synthetic import evaluate_study, write_study

from ftbench.base.files import write_json, write_text
from ftbench.report.classes.mistakes_list import find_mistakes, write_mistakes
from ftbench.report.uncertainty.clean_test_table import clean_test_table
from ftbench.report.uncertainty.stability_table import stability_table

DATASETS = ("shapes", "zeta")
BUDGETS = {"quick": {"minutes": 5.0, "parameters": None, "latency_ms": None}}
AUDIT = {
    "training_images": 90,
    "test_images": 200,
    "test_images_with_a_training_duplicate": 1,
    "pairs_inside_test": 2,
    "pairs_inside_training": 0,
    "labels_judged_by": "lite0",
    "suspected_labels": {"train": 0, "validation": 0, "test": 1},
}


def write_rest(root, study, tables) -> None:
    """What stands beside the tables of `evaluate_study`: audits, figures, lists of mistakes, records of the study."""
    audits = []
    for dataset, data in study["data"].items():
        count = len(np.load(data / "test_labels.npy"))
        files = "".join(f"{k},test/<b>{k}.png\n" for k in range(count))
        write_text(data / "test_files.csv", f"id,file\n{files}")
        write_text(data / "audit" / "marks.csv", "id,file,mark,detail\n3,a,suspected label error,a\n")
        write_json(data / "audit" / "audit.json", AUDIT)
        audits.append({"dataset": dataset, "marks": data / "audit" / "marks.csv", "files": data / "test_files.csv"})
        for name in ("accuracy", "pareto"):
            write_text(root / "plots" / f"{dataset}.{name}.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
        images = np.load(data / "test_images.npy")
        found = find_mistakes(study["runs"], tables["cells"], images, dataset)
        out = root / "plots" / f"{dataset}.mistakes.json"
        write_mistakes(found, images, data / "classes.json", data / "test_files.csv", out)
    audits = [audit | {"exclude": None, "root": None} for audit in audits]
    stability_table(study["runs"], study["selected"], tables["cells"], "accuracy", root / "tables" / "stability.csv")
    clean_test_table(study["runs"], audits, study["cells"], root / "tables" / "clean_test.csv")
    part = {"sha256": "b" * 64, "images": 200}
    entry = {"source": "digits", "name": None, "licence": "CC0", "train": part, "test": part}
    weights = {"model": "lite0", "weights": "pip:x", "sha256": "d" * 64, "licence": "Apache-2.0"}
    settings = {"study": "tried", "selection_metric": "accuracy", "tuning": {"trials": 4}, "seeds": [0, 1, 2]}
    write_json(root / "study.json", settings)
    known = {
        "finetune_bench": "0.1",
        "config_sha256": "a" * 64,
        "versions": {"python": "3.12", "torch": "2.9"},
        "machines": [{"runs": 20, "device_name": "CPU"}],
        "datasets": dict.fromkeys(study["datasets"], entry),
        "weights": [weights],
    }
    write_json(root / "environment.json", known)


def written(root, **changes):
    """The folder of a study with `changes` of `write_study`."""
    study = write_study(root, **{"datasets": DATASETS} | changes)
    write_rest(root, study, evaluate_study(study, root / "tables", BUDGETS))
    return root


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Two data sets; in the first, one cell has a diverged run and one has no other."""
    return written(tmp_path_factory.mktemp("summary"))
