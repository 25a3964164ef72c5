"""The command `ftbench audit`: the part of a study that looks at its data, and what it found, in sentences."""

import subprocess
import sys
from pathlib import Path

from ftbench.base.files import read_json
from ftbench.study import grid

RULES = ("audit_dataset", "plot_audit")


def run_audit(config: str, cores: str) -> int:
    """Let Snakemake run a study of the folder that it is started in up to the audit; returns its exit status."""
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--until", *RULES, "--configfile", config]
    return subprocess.run(command).returncode


def told(study: dict, root: Path = Path()) -> list[str]:
    """What the audit of each data set of a resolved study found; its files lie below `root`/results."""
    lines = []
    for dataset in dict.fromkeys(cell.dataset for cell in grid.cells(study)):
        folder = root / "results" / study["study"]
        about = read_json(folder / "data" / dataset / "audit" / "audit.json")
        suspected, domain = about["suspected_labels"], about["training_against_test"]
        lines.append(
            f"{dataset}: {about['test_images_with_a_training_duplicate']:,} of {about['test_images']:,} test images have a duplicate in "
            f"training; {about['clusters']:,} clusters of duplicates, the largest of {about['largest_cluster']:,} images."
        )
        if about["labels_judged_by"]:
            lines.append(
                f"  {suspected['train'] + suspected['validation']:,} training and {suspected['test']:,} test labels are suspected, by a "
                f"probe on {about['labels_judged_by']} that is right on {about['judge_accuracy']:.1%}."
            )
        else:
            lines.append("  Labels are not judged: that needs a backbone with pretrained weights.")
        odd = ", ".join(f"{count:,} {reason}" for reason, count in about["odd_images"].items())
        lines.append(f"  Odd images: {odd or 'none'}.")
        if domain:
            lines.append(
                f"  Training and test images can be told apart with an AUC of {domain['auc']:.3f}; by chance it is "
                f"{domain['null_low']:.3f} to {domain['null_high']:.3f}."
            )
        lines.append(f"  Look at {folder}/plots/{dataset}.audit.svg and the files in {folder}/data/{dataset}/audit.")
    return lines
