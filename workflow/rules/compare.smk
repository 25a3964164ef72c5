# From the metrics of all runs to tables, figures and the report. Nothing here reads a model.
#
# A result has one label, what it shows: of several, Snakemake's report turns a label with two equally frequent values into a switch, and
# fails where a combination does not exist.


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
    """One row per run: scores, recipe and what it cost; and all that the runs' own records hold, for the rules below."""
    input:
        runs=run_files("run.json"),
        costs=run_files("cost.json"),
        metrics=run_files("metrics.json"),
        selected=get_selected,
        efficiency=[EFFICIENCY.format(**place) for place in PLACES],
    output:
        runs="<results>/tables/runs.csv",
        records="<results>/tables/records.jsonl",
    log:
        "<logs>/collect_metrics.log",
    params:
        labels=get_run_labels,
        cells=get_cell_labels,
        places=PLACES,
        probes={name: entry["probe"] for name, entry in STUDY["strategies"].items() if entry["probe"]},
        code=code_of("collect_metrics.py"),
    script:
        "../scripts/collect_metrics.py"


rule compare_strategies:
    """Intervals of every cell, and tests of the differences, from the test logits of all runs."""
    input:
        records="<results>/tables/records.jsonl",
        logits=run_files("test_logits.npz"),
    output:
        cells="<results>/tables/cells.csv",
        pairwise="<results>/tables/pairwise.csv",
        differences="<results>/tables/differences.csv",
        classes="<results>/tables/classes.csv",
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
        differences="<results>/tables/differences.csv",
    output:
        csv="<results>/tables/comparison.csv",
        markdown="<results>/tables/comparison.md",
        latex="<results>/tables/comparison.tex",
        html=report(
            "<results>/tables/comparison.html",
            caption="../report/comparison.rst",
            category="3 Result",
            labels={"shows": "table: all cells"},
        ),
        calibration_markdown="<results>/tables/calibration.md",
        calibration_latex="<results>/tables/calibration.tex",
        calibration_html=report(
            "<results>/tables/calibration.html",
            caption="../report/calibration.rst",
            category="5 Uncertainty",
            labels={"shows": "table: calibration"},
        ),
    log:
        "<logs>/report_comparison.log",
    params:
        cells=labelled(CELLS),
        code=code_of("report_comparison.py"),
    script:
        "../scripts/report_comparison.py"


rule report_pairwise:
    """The tests between cells, to read: each difference, wins and losses, ranks over data sets."""
    input:
        pairwise="<results>/tables/pairwise.csv",
        comparison="<results>/tables/comparison.csv",
    output:
        markdown="<results>/tables/pairwise.md",
        latex="<results>/tables/pairwise.tex",
        html=report(
            "<results>/tables/pairwise.html",
            caption="../report/pairwise.rst",
            category="5 Uncertainty",
            labels={"shows": "table: differences"},
        ),
        matrix="<results>/tables/win_tie_loss.csv",
        matrix_markdown="<results>/tables/win_tie_loss.md",
        matrix_latex="<results>/tables/win_tie_loss.tex",
        matrix_html=report(
            "<results>/tables/win_tie_loss.html",
            caption="../report/win_tie_loss.rst",
            category="5 Uncertainty",
            labels={"shows": "table: wins, ties, losses"},
        ),
        ranks="<results>/tables/ranks.csv",
        diagram=report(
            "<results>/plots/critical_difference.svg",
            caption="../report/critical_difference.rst",
            category="5 Uncertainty",
            labels={"shows": "ranks over data sets"},
        ),
    log:
        "<logs>/report_pairwise.log",
    params:
        axes=get_axes,
        code=code_of("report_pairwise.py"),
    script:
        "../scripts/report_pairwise.py"


rule report_recommendation:
    """What to pick: for every budget the best cell by validation, its equals, and the cheapest of those."""
    input:
        comparison="<results>/tables/comparison.csv",
        cells="<results>/tables/cells.csv",
        differences="<results>/tables/differences.csv",
    output:
        csv="<results>/tables/recommendation.csv",
        markdown="<results>/tables/recommendation.md",
        latex="<results>/tables/recommendation.tex",
        html=report(
            "<results>/tables/recommendation.html",
            caption="../report/recommendation.rst",
            category="7 Recommendation",
            labels={"shows": "table: what to pick"},
        ),
    log:
        "<logs>/report_recommendation.log",
    params:
        budgets=STUDY["budgets"],
        metric=STUDY["selection_metric"],
        code=code_of("report_recommendation.py"),
    script:
        "../scripts/report_recommendation.py"


rule report_provenance:
    """What ran, with which software and on which machine."""
    input:
        study="<results>/study.json",
        records="<results>/tables/records.jsonl",
    output:
        runs=report(
            "<results>/tables/provenance.html",
            caption="../report/provenance.rst",
            category="8 Provenance",
            labels={"shows": "table: every run"},
        ),
        protocol=report(
            "<results>/tables/protocol.html",
            caption="../report/protocol.rst",
            category="2 Protocol",
            labels={"shows": "table: recipes"},
        ),
    log:
        "<logs>/report_provenance.log",
    params:
        labels=get_run_labels,
        code=code_of("report_provenance.py"),
    script:
        "../scripts/report_provenance.py"


rule report_cost:
    """What every cell cost, and the study as a whole."""
    input:
        runs="<results>/tables/runs.csv",
    output:
        csv="<results>/tables/cost.csv",
        markdown="<results>/tables/cost.md",
        latex="<results>/tables/cost.tex",
        html=report(
            "<results>/tables/cost.html",
            caption="../report/cost.rst",
            category="6 Cost",
            labels={"shows": "table: cost of every cell"},
        ),
    log:
        "<logs>/report_cost.log",
    params:
        cells=labelled(CELLS),
        watts=STUDY["hardware"]["watts"],
        code=code_of("report_cost.py"),
    script:
        "../scripts/report_cost.py"


rule report_per_class:
    """Precision, recall and F1 of every class in every run."""
    input:
        records="<results>/tables/records.jsonl",
        classes="<results>/tables/classes.csv",
    output:
        csv="<results>/tables/per_class.csv",
        markdown="<results>/tables/per_class.md",
        latex="<results>/tables/per_class.tex",
        html=report(
            "<results>/tables/per_class.html",
            caption="../report/per_class_table.rst",
            category="4 Classes",
            labels={"shows": "table: per class"},
        ),
        confused="<results>/tables/confused.csv",
        confused_markdown="<results>/tables/confused.md",
        confused_latex="<results>/tables/confused.tex",
        confused_html=report(
            "<results>/tables/confused.html",
            caption="../report/confused.rst",
            category="4 Classes",
            labels={"shows": "table: most confused pairs"},
        ),
    log:
        "<logs>/report_per_class.log",
    params:
        labels=get_run_labels,
        cells=labelled(CELLS),
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
            category="3 Result",
            labels={"shows": "accuracy, {dataset}"},
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
            category="6 Cost",
            labels={"shows": "accuracy against cost, {dataset}"},
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
            category="2 Protocol",
            labels={"shows": "tuning, {dataset}"},
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
        records="<results>/tables/records.jsonl",
        cells="<results>/tables/cells.csv",
    output:
        report(
            "<results>/plots/{dataset}.confusion.svg",
            caption="../report/confusion.rst",
            category="4 Classes",
            labels={"shows": "confusion, {dataset}"},
        ),
    log:
        "<logs>/plot_confusion/{dataset}.log",
    params:
        labels=get_run_labels,
        code=code_of("plot_confusion.py"),
    script:
        "../scripts/plot_confusion.py"


rule plot_reliability:
    """Whether confidences come true, and what the error falls to without the least sure answers."""
    input:
        records="<results>/tables/records.jsonl",
    output:
        reliability=report(
            "<results>/plots/{dataset}.reliability.svg",
            caption="../report/reliability.rst",
            category="5 Uncertainty",
            labels={"shows": "reliability, {dataset}"},
        ),
        risk_coverage=report(
            "<results>/plots/{dataset}.risk_coverage.svg",
            caption="../report/risk_coverage.rst",
            category="5 Uncertainty",
            labels={"shows": "risk and coverage, {dataset}"},
        ),
    log:
        "<logs>/plot_reliability/{dataset}.log",
    params:
        labels=get_run_labels,
        axes=get_axes,
        code=code_of("plot_reliability.py"),
    script:
        "../scripts/plot_reliability.py"


rule plot_per_class:
    """Recall of every class in every cell."""
    input:
        per_class="<results>/tables/per_class.csv",
    output:
        report(
            "<results>/plots/{dataset}.per_class.svg",
            caption="../report/per_class.rst",
            category="4 Classes",
            labels={"shows": "per class, {dataset}"},
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
        records="<results>/tables/records.jsonl",
        logits=run_files("test_logits.npz"),
        cells="<results>/tables/cells.csv",
        images="<results>/data/{dataset}/test_images.npy",
        classes="<results>/data/{dataset}/classes.json",
    output:
        report(
            "<results>/plots/{dataset}.mistakes.svg",
            caption="../report/mistakes.rst",
            category="4 Classes",
            labels={"shows": "most confident mistakes, {dataset}"},
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
            category="1 Data",
            labels={"shows": "training images, {dataset}"},
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
            category="2 Protocol",
            labels={"shows": "augmentation policies, {dataset}"},
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
        cells="<results>/tables/cells.csv",
    output:
        csv="<results>/tables/transferability.csv",
        markdown="<results>/tables/transferability.md",
        latex="<results>/tables/transferability.tex",
        correlations="<results>/tables/transferability_correlations.csv",
        html=report(
            "<results>/tables/transferability.html",
            caption="../report/transferability.rst",
            category="7 Recommendation",
            labels={"shows": "table: transferability scores"},
        ),
    log:
        "<logs>/report_transferability.log",
    params:
        places=PRETRAINED,
        cells=labelled(inputs.fine_tuned(STUDY, CELLS)),
        metric=STUDY["selection_metric"],
        code=code_of("report_transferability.py"),
    script:
        "../scripts/report_transferability.py"


rule report_clean_test:
    """The scores without the test images that the audit or the user marks, beside the full ones."""
    input:
        records="<results>/tables/records.jsonl",
        logits=run_files("test_logits.npz"),
        marks=expand("<results>/data/{dataset}/audit/test_marks.csv", dataset=DATASETS),
        files=expand("<results>/data/{dataset}/test_files.csv", dataset=DATASETS),
    output:
        csv="<results>/tables/clean_test.csv",
        markdown="<results>/tables/clean_test.md",
        latex="<results>/tables/clean_test.tex",
        html=report(
            "<results>/tables/clean_test.html",
            caption="../report/clean_test.rst",
            category="5 Uncertainty",
            labels={"shows": "table: cleaned test set"},
        ),
    log:
        "<logs>/report_clean_test.log",
    params:
        labels=get_run_labels,
        cells=labelled(CELLS),
        lists=get_exclusions,
        code=code_of("report_clean_test.py"),
    script:
        "../scripts/report_clean_test.py"


rule plot_audit:
    """What the audit marked, to judge by eye."""
    input:
        pairs="<results>/data/{dataset}/audit/duplicates.csv",
        issues="<results>/data/{dataset}/audit/label_issues.csv",
        images="<results>/data/{dataset}/images.npy",
        test_images="<results>/data/{dataset}/test_images.npy",
    output:
        report(
            "<results>/plots/{dataset}.audit.svg",
            caption="../report/audit.rst",
            category="1 Data",
            labels={"shows": "duplicates and suspected labels, {dataset}"},
        ),
    log:
        "<logs>/plot_audit/{dataset}.log",
    params:
        code=code_of("plot_audit.py"),
    script:
        "../scripts/plot_audit.py"


rule report_robustness:
    """Accuracy on corrupted test images, per cell and per corruption."""
    input:
        records="<results>/tables/records.jsonl",
        logits=corrupted_run_files("test_logits.npz"),
        corrupted=corrupted_run_files("corrupted_logits.npz"),
    output:
        csv="<results>/tables/robustness.csv",
        markdown="<results>/tables/robustness.md",
        latex="<results>/tables/robustness.tex",
        detail="<results>/tables/corruptions.csv",
        detail_markdown="<results>/tables/corruptions.md",
        detail_latex="<results>/tables/corruptions.tex",
        detail_html=report(
            "<results>/tables/corruptions.html",
            caption="../report/robustness_kinds.rst",
            category="3 Result",
            labels={"shows": "table: every kind of corruption"},
        ),
        html=report(
            "<results>/tables/robustness.html",
            caption="../report/robustness_table.rst",
            category="3 Result",
            labels={"shows": "table: corrupted test images"},
        ),
    log:
        "<logs>/report_robustness.log",
    params:
        labels=get_corrupted_labels,
        cells=labelled(CELLS),
        code=code_of("report_robustness.py"),
    script:
        "../scripts/report_robustness.py"


rule plot_robustness:
    """Accuracy over the severity of corruptions."""
    input:
        "<results>/tables/corruptions.csv",
    output:
        report(
            "<results>/plots/{dataset}.robustness.svg",
            caption="../report/robustness.rst",
            category="3 Result",
            labels={"shows": "accuracy over severity, {dataset}"},
        ),
    log:
        "<logs>/plot_robustness/{dataset}.log",
    params:
        axes=get_axes,
        code=code_of("plot_robustness.py"),
    script:
        "../scripts/plot_robustness.py"
