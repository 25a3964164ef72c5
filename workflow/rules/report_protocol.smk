# How the recipes were found: learning curves, tuning, augmentation. Chapter 2; its page of recipes is in report_provenance.smk.


rule plot_learning_curves:
    """Loss and validation accuracy per epoch."""
    input:
        records="<results>/tables/records.jsonl",
        histories=run_files("history.csv"),
    output:
        report(
            "<results>/plots/{dataset}.learning_curves.svg",
            caption="../report/learning_curves.rst",
            category="2 Protocol",
            labels={"shows": "learning curves, {dataset}"},
        ),
    log:
        "<logs>/plot_learning_curves/{dataset}.log",
    params:
        labels=get_run_labels,
        axes=AXES,
        code=code_of("plot_learning_curves.py"),
    script:
        "../scripts/plot_learning_curves.py"


rule plot_tuning:
    """Validation accuracy over the tuning grid."""
    input:
        selected=get_selected,
    output:
        report(
            "<results>/plots/{dataset}.tuning.svg",
            caption="../report/tuning.rst",
            category="2 Protocol",
            labels={"shows": "tuning, {dataset}"},
        ),
    log:
        "<logs>/plot_tuning/{dataset}.log",
    params:
        labels=get_selections,
        axes=AXES,
        code=code_of("plot_tuning.py"),
    script:
        "../scripts/plot_tuning.py"


rule plot_augmentations:
    """The augmentation policies, side by side."""
    input:
        "<results>/data/{dataset}/augmentations.npz",
    output:
        report(
            "<results>/plots/{dataset}.augmentations.svg",
            caption="../report/augmentations.rst",
            category="2 Protocol",
            labels={"shows": "augmentation policies, {dataset}"},
        ),
    log:
        "<logs>/plot_augmentations/{dataset}.log",
    params:
        code=code_of("plot_augmentations.py"),
    script:
        "../scripts/plot_augmentations.py"
