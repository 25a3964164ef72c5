# From the metrics of all runs to tables, figures and the report. Nothing here reads a model.


rule record_study:
    """The resolved config, every default filled in, beside the results that it made."""
    output:
        "<results>/study.json",
    log:
        "<logs>/record_study.log",
    localrule: True
    params:
        study=STUDY,
    script:
        "../scripts/record_study.py"


rule collect_metrics:
    """One row per run: scores, recipe and what it cost."""
    input:
        runs=run_files("run.json"),
        costs=run_files("cost.json"),
        metrics=run_files("metrics.json"),
        selected=get_run_selected,
        efficiency=get_run_efficiency,
    output:
        "<results>/tables/runs.csv",
    log:
        "<logs>/collect_metrics.log",
    params:
        labels=get_run_labels,
        code=code_of("collect_metrics.py"),
    script:
        "../scripts/collect_metrics.py"


rule compare_strategies:
    """Intervals of every cell, and tests of the differences, from the test logits of all runs."""
    input:
        runs=run_files("run.json"),
        logits=run_files("test_logits.npz"),
    output:
        cells="<results>/tables/cells.csv",
        pairwise="<results>/tables/pairwise.csv",
    log:
        "<logs>/compare_strategies.log",
    benchmark:
        "<benchmarks>/compare_strategies.tsv"
    params:
        labels=get_run_labels,
        metric=STUDY["selection_metric"],
        code=code_of("compare_strategies.py"),
    script:
        "../scripts/compare_strategies.py"


rule report_comparison:
    """The comparison table: as data, and to read."""
    input:
        runs="<results>/tables/runs.csv",
        cells="<results>/tables/cells.csv",
    output:
        csv="<results>/tables/comparison.csv",
        markdown="<results>/tables/comparison.md",
        latex="<results>/tables/comparison.tex",
        html=report(
            "<results>/tables/comparison.html",
            caption="../report/comparison.rst",
            category="1 Comparison",
            labels={"shows": "table: all cells", "data set": "all"},
        ),
    log:
        "<logs>/report_comparison.log",
    params:
        cells=[cell._asdict() for cell in CELLS],
        code=code_of("report_comparison.py"),
    script:
        "../scripts/report_comparison.py"


rule report_pairwise:
    """The tests between cells, to read."""
    input:
        "<results>/tables/pairwise.csv",
    output:
        report(
            "<results>/tables/pairwise.html",
            caption="../report/pairwise.rst",
            category="1 Comparison",
            labels={"shows": "table: differences", "data set": "all"},
        ),
    log:
        "<logs>/report_pairwise.log",
    params:
        code=code_of("report_pairwise.py"),
    script:
        "../scripts/report_pairwise.py"


rule report_cost:
    """What every cell cost, and the study as a whole."""
    input:
        runs="<results>/tables/runs.csv",
    output:
        csv="<results>/tables/cost.csv",
        html=report(
            "<results>/tables/cost.html",
            caption="../report/cost.rst",
            category="2 Cost",
            labels={"shows": "table: cost of every cell", "data set": "all"},
        ),
    log:
        "<logs>/report_cost.log",
    params:
        cells=[cell._asdict() for cell in CELLS],
        watts=STUDY["hardware"]["watts"],
        code=code_of("report_cost.py"),
    script:
        "../scripts/report_cost.py"


rule report_per_class:
    """Precision, recall and F1 of every class in every run."""
    input:
        metrics=run_files("metrics.json"),
    output:
        report(
            "<results>/tables/per_class.csv",
            caption="../report/per_class_table.rst",
            category="3 Classes",
            labels={"shows": "table: per class", "data set": "all"},
        ),
    log:
        "<logs>/report_per_class.log",
    params:
        labels=get_run_labels,
        cells=[cell._asdict() for cell in CELLS],
        code=code_of("report_per_class.py"),
    script:
        "../scripts/report_per_class.py"


rule plot_accuracy:
    """Accuracy of every backbone and strategy, with intervals."""
    input:
        comparison="<results>/tables/comparison.csv",
        runs="<results>/tables/runs.csv",
    output:
        report(
            "<results>/plots/{dataset}.accuracy.svg",
            caption="../report/accuracy.rst",
            category="1 Comparison",
            labels={"shows": "accuracy", "data set": "{dataset}"},
        ),
    log:
        "<logs>/plot_accuracy/{dataset}.log",
    params:
        axes=get_axes,
        code=code_of("plot_accuracy.py"),
    script:
        "../scripts/plot_accuracy.py"


rule plot_pareto:
    """Accuracy against the cost of getting there."""
    input:
        comparison="<results>/tables/comparison.csv",
    output:
        report(
            "<results>/plots/{dataset}.pareto.svg",
            caption="../report/pareto.rst",
            category="2 Cost",
            labels={"shows": "accuracy against cost", "data set": "{dataset}"},
        ),
    log:
        "<logs>/plot_pareto/{dataset}.log",
    params:
        axes=get_axes,
        code=code_of("plot_pareto.py"),
    script:
        "../scripts/plot_pareto.py"


rule plot_learning_curves:
    """Loss and validation accuracy per epoch."""
    input:
        runs=run_files("run.json"),
        histories=run_files("history.csv"),
    output:
        report(
            "<results>/plots/{dataset}.learning_curves.svg",
            caption="../report/learning_curves.rst",
            category="4 Training",
            labels={"shows": "learning curves", "data set": "{dataset}"},
        ),
    log:
        "<logs>/plot_learning_curves/{dataset}.log",
    params:
        labels=get_run_labels,
        axes=get_axes,
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
            category="4 Training",
            labels={"shows": "tuning", "data set": "{dataset}"},
        ),
    log:
        "<logs>/plot_tuning/{dataset}.log",
    params:
        labels=get_cell_labels,
        axes=get_axes,
        code=code_of("plot_tuning.py"),
    script:
        "../scripts/plot_tuning.py"


rule plot_confusion:
    """Confusion matrix of the recommended cell."""
    input:
        metrics=run_files("metrics.json"),
        cells="<results>/tables/cells.csv",
    output:
        report(
            "<results>/plots/{dataset}.confusion.svg",
            caption="../report/confusion.rst",
            category="3 Classes",
            labels={"shows": "confusion", "data set": "{dataset}"},
        ),
    log:
        "<logs>/plot_confusion/{dataset}.log",
    params:
        labels=get_run_labels,
        code=code_of("plot_confusion.py"),
    script:
        "../scripts/plot_confusion.py"


rule plot_per_class:
    """Recall of every class in every cell."""
    input:
        per_class="<results>/tables/per_class.csv",
    output:
        report(
            "<results>/plots/{dataset}.per_class.svg",
            caption="../report/per_class.rst",
            category="3 Classes",
            labels={"shows": "per class", "data set": "{dataset}"},
        ),
    log:
        "<logs>/plot_per_class/{dataset}.log",
    params:
        code=code_of("plot_per_class.py"),
    script:
        "../scripts/plot_per_class.py"


rule plot_mistakes:
    """The most confident mistakes of the recommended cell."""
    input:
        metrics=run_files("metrics.json"),
        logits=run_files("test_logits.npz"),
        cells="<results>/tables/cells.csv",
        images="<results>/data/{dataset}/test_images.npy",
        classes="<results>/data/{dataset}/classes.json",
    output:
        report(
            "<results>/plots/{dataset}.mistakes.svg",
            caption="../report/mistakes.rst",
            category="3 Classes",
            labels={"shows": "most confident mistakes", "data set": "{dataset}"},
        ),
    log:
        "<logs>/plot_mistakes/{dataset}.log",
    params:
        labels=get_run_labels,
        code=code_of("plot_mistakes.py"),
    script:
        "../scripts/plot_mistakes.py"


rule plot_montage:
    """A few training images of every class."""
    input:
        images="<results>/data/{dataset}/images.npy",
        labels="<results>/data/{dataset}/labels.npy",
        classes="<results>/data/{dataset}/classes.json",
        split="<results>/data/{dataset}/split.npz",
    output:
        report(
            "<results>/plots/{dataset}.montage.svg",
            caption="../report/montage.rst",
            category="5 Data",
            labels={"shows": "training images", "data set": "{dataset}"},
        ),
    log:
        "<logs>/plot_montage/{dataset}.log",
    params:
        code=code_of("plot_montage.py"),
    script:
        "../scripts/plot_montage.py"


rule plot_augmentations:
    """The augmentation policies, side by side."""
    input:
        "<results>/data/{dataset}/augmentations.npz",
    output:
        report(
            "<results>/plots/{dataset}.augmentations.svg",
            caption="../report/augmentations.rst",
            category="5 Data",
            labels={"shows": "augmentation policies", "data set": "{dataset}"},
        ),
    log:
        "<logs>/plot_augmentations/{dataset}.log",
    params:
        code=code_of("plot_augmentations.py"),
    script:
        "../scripts/plot_augmentations.py"


rule report_transferability:
    """Scores of the frozen backbones beside what fine-tuning reached, and their rank correlation."""
    input:
        scores=[TRANSFERABILITY.format(**place) for place in PRETRAINED],
        comparison="<results>/tables/comparison.csv",
    output:
        csv="<results>/tables/transferability.csv",
        correlations="<results>/tables/transferability_correlations.csv",
        html=report(
            "<results>/tables/transferability.html",
            caption="../report/transferability.rst",
            category="1 Comparison",
            labels={"shows": "table: transferability scores", "data set": "all"},
        ),
    log:
        "<logs>/report_transferability.log",
    params:
        places=PRETRAINED,
        cells=[cell._asdict() for cell in CELLS if fine_tunes(cell)],
        code=code_of("report_transferability.py"),
    script:
        "../scripts/report_transferability.py"
