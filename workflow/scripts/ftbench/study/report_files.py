"""Every table and figure that a study makes: what the Snakefile asks for, and what the pages of provenance list."""

from ftbench.study import inputs
from ftbench.study.grid import Cell

# A new figure of every data set stands here and in its rule, a new table in `tables` and in its rule.
FIGURES = (
    "accuracy",
    "pareto",
    "learning_curves",
    "tuning",
    "confusion",
    "per_class",
    "mistakes",
    "montage",
    "augmentations",
    "reliability",
    "risk_coverage",
    "audit",
)

# The tables that the summary reads.
SUMMARIZED = ("runs", "comparison", "recommendation", "differences", "per_class", "confused", "clean_test", "stability")

IMAGES = ("image_classes", "image_facts")  # tables of the images, which no run is needed for


def tables(study: dict, cells: list[Cell]) -> list[str]:
    """The summary, every table of the study, and the two records beside them."""
    sizes = ["training_size", "label_more"] * bool(inputs.limits(study, dict.fromkeys(cell.dataset for cell in cells)))
    whole = (
        "comparison",
        "cost",
        "recommendation",
        "win_tie_loss",
        "per_class",
        "confused",
        "clean_test",
        "stability",
        *IMAGES,
    )
    folds = ["folds"] * bool(inputs.folded(study, dict.fromkeys(cell.dataset for cell in cells)))
    slices = ["slices", "slice_gaps"] * bool(inputs.sliced(study, [cell.dataset for cell in cells]))
    formats = {
        "csv html md tex": (*whole, *inputs.axes(study, cells), *sizes, *folds, *slices),
        "html md tex": ("calibration", "pairwise"),
        "html": ("protocol", "provenance"),
    }
    names = [f"{name}.{suffix}" for suffixes, names in formats.items() for name in names for suffix in suffixes.split()]
    names += ["robustness.html"] * study["corruptions"]["enabled"]
    names += ["transferability.html"] * bool(inputs.pretrained(study, cells))
    beside = ("summary.html", "study.json", "environment.json")
    return [*(f"<results>/tables/{name}" for name in names), *(f"<results>/{name}" for name in beside)]


def plots(study: dict, cells: list[Cell]) -> list[str]:
    """Every figure of the study: those of each data set, of several limits of one the largest alone, and those of all."""
    figures = [*FIGURES, *inputs.axes(study, cells)] + ["robustness"] * study["corruptions"]["enabled"]
    datasets = list(dict.fromkeys(cell.dataset for cell in cells))
    families = dict.fromkeys(member["family"] for member in inputs.limits(study, datasets))
    return [
        *(
            f"<results>/plots/{dataset}.{figure}.svg"
            for dataset in inputs.reported(study, datasets)
            for figure in figures
        ),
        *(f"<results>/plots/{family}.training_size.svg" for family in families),
        *(
            f"<results>/plots/{dataset}.slices.svg"
            for dataset in inputs.sliced(study, inputs.reported(study, datasets))
        ),
        "<results>/plots/critical_difference.svg",
    ]
