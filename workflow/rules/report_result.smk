# What every cell reached, on clean and on corrupted test images, and one axis at a time. Chapter 3.


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
    log:
        "<logs>/report_comparison.log",
    params:
        cells=labelled(CELLS),
        code=code_of("report_comparison.py"),
    script:
        "../scripts/report_comparison.py"


rule plot_accuracy:
    """Accuracy of every backbone and strategy, with intervals."""
    input:
        comparison="<results>/tables/comparison.csv",
        runs="<results>/tables/runs.csv",
        differences="<results>/tables/differences.csv",
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
        axes=AXES,
        code=code_of("plot_accuracy.py"),
    script:
        "../scripts/plot_accuracy.py"


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
        cells=labelled(cell for cell in inputs.here(STUDY, CELLS) if cell.strategy not in TOGETHER),
        together=TOGETHER,
        given=GIVEN,
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
        axes=AXES,
        code=code_of("plot_robustness.py"),
    script:
        "../scripts/plot_robustness.py"


rule compare_policies:
    """Each policy of a strategy against the first one that its list names."""
    input:
        comparison="<results>/tables/comparison.csv",
        pairwise="<results>/tables/pairwise.csv",
    output:
        csv="<results>/tables/policies.csv",
        markdown="<results>/tables/policies.md",
        latex="<results>/tables/policies.tex",
        html=report(
            "<results>/tables/policies.html",
            caption="../report/policies.rst",
            category="3 Result",
            labels={"shows": "table: augmentation policies"},
        ),
        plots=[
            report(
                f"<results>/plots/{dataset}.policies.svg",
                caption="../report/policies.rst",
                category="3 Result",
                labels={"shows": f"augmentation policies, {dataset}"},
            )
            for dataset in DATASETS
        ],
    log:
        "<logs>/compare_policies.log",
    params:
        families=inputs.families(STUDY, DATASETS),
        datasets=DATASETS,
        axes=FAMILY_AXES,
        code=code_of("compare_policies.py"),
    script:
        "../scripts/compare_policies.py"


rule compare_training_sizes:
    """The same cells on few and on more images of a data set."""
    input:
        comparison="<results>/tables/comparison.csv",
        cells="<results>/tables/cells.csv",
        differences="<results>/tables/differences.csv",
        data=[f"<results>/data/{member['dataset']}/train.json" for member in LIMITS],
        records="<results>/tables/records.jsonl",
        logits=inputs.run_files("test_logits.npz", LIMITED_RUNS),
    output:
        csv="<results>/tables/training_size.csv",
        markdown="<results>/tables/training_size.md",
        latex="<results>/tables/training_size.tex",
        html=report(
            "<results>/tables/training_size.html",
            caption="../report/training_size.rst",
            category="3 Result",
            labels={"shows": "table: accuracy against images per class"},
        ),
        more_csv="<results>/tables/label_more.csv",
        more_markdown="<results>/tables/label_more.md",
        more_latex="<results>/tables/label_more.tex",
        more_html=report(
            "<results>/tables/label_more.html",
            caption="../report/label_more.rst",
            category="3 Result",
            labels={"shows": "table: label more?"},
        ),
        plots=[
            report(
                f"<results>/plots/{family}.training_size.svg",
                caption="../report/training_size.rst",
                category="3 Result",
                labels={"shows": f"accuracy against images per class, {family}"},
            )
            for family in dict.fromkeys(member["family"] for member in LIMITS)
        ],
    log:
        "<logs>/compare_training_sizes.log",
    params:
        members=LIMITS,
        labels=LIMITED_RUNS,
        random=labelled(cell for cell in CELLS if settings.start(STUDY, cell) == "random"),
        axes=AXES,
        code=code_of("compare_training_sizes.py"),
    script:
        "../scripts/compare_training_sizes.py"


rule report_folds:
    """What every cell chose and reached in each fold, where a data set is tested in folds."""
    input:
        records="<results>/tables/records.jsonl",
        logits=inputs.run_files("test_logits.npz", FOLDED_RUNS),
    output:
        csv="<results>/tables/folds.csv",
        markdown="<results>/tables/folds.md",
        latex="<results>/tables/folds.tex",
        html=report(
            "<results>/tables/folds.html",
            caption="../report/folds.rst",
            category="3 Result",
            labels={"shows": "table: every fold"},
        ),
    log:
        "<logs>/report_folds.log",
    params:
        labels=FOLDED_RUNS,
        metric=STUDY["selection_metric"],
        code=code_of("report_folds.py"),
    script:
        "../scripts/report_folds.py"


rule compare_activations:
    """Silent units of every cell whose backbone names its activation."""
    input:
        comparison="<results>/tables/comparison.csv",
        activity=inputs.silent_unit_files(STUDY, CELLS),
    output:
        csv="<results>/tables/activations.csv",
        markdown="<results>/tables/activations.md",
        latex="<results>/tables/activations.tex",
        html=report(
            "<results>/tables/activations.html",
            caption="../report/activations.rst",
            category="3 Result",
            labels={"shows": "table: silent units"},
        ),
        plots=[
            report(
                f"<results>/plots/{dataset}.activations.svg",
                caption="../report/activations.rst",
                category="3 Result",
                labels={"shows": f"silent units, {dataset}"},
            )
            for dataset in DATASETS
        ],
    log:
        "<logs>/compare_activations.log",
    params:
        labels=inputs.silent_unit_cells(STUDY, CELLS),
        datasets=DATASETS,
        axes=AXES,
        code=code_of("compare_activations.py"),
    script:
        "../scripts/compare_activations.py"
