"""The metrics of every finished run of a data set, by cell, for the figures that draw whole curves."""

from ftbench.evaluate.records import content


def metrics_of(runs: list[dict], dataset: str) -> dict[tuple[str, str], list[dict]]:
    """{(backbone, strategy): metrics of its finished runs on one data set}; `runs` holds {"labels", "metrics": path}."""
    cells: dict[tuple[str, str], list[dict]] = {}
    for entry in runs:
        labels = entry["labels"]
        if labels["dataset"] == dataset and (metrics := content(entry["metrics"]))["status"] == "finished":
            cells.setdefault((labels["backbone"], labels["strategy"]), []).append(metrics)
    return cells
