# Which classes are confused, which images, and which slices of them are harder. Chapter 4.


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


rule plot_mistakes:
    """The most confident mistakes of the recommended cell."""
    input:
        records="<results>/tables/records.jsonl",
        logits=run_files("test_logits.npz"),
        cells="<results>/tables/cells.csv",
        images="<results>/data/{dataset}/test_images.npy",
        files="<results>/data/{dataset}/test_files.csv",
        classes="<results>/data/{dataset}/classes.json",
    output:
        figure=report(
            "<results>/plots/{dataset}.mistakes.svg",
            caption="../report/mistakes.rst",
            category="4 Classes",
            labels={"shows": "most confident mistakes, {dataset}"},
        ),
        shown="<results>/plots/{dataset}.mistakes.json",
    log:
        "<logs>/plot_mistakes/{dataset}.log",
    params:
        labels=get_run_labels,
        code=code_of("plot_mistakes.py"),
    script:
        "../scripts/plot_mistakes.py"


rule report_slices:
    """Accuracy in every slice of the test images that the config names, and the gap between the best and the worst."""
    input:
        records="<results>/tables/records.jsonl",
        logits=run_files("test_logits.npz"),
        cells="<results>/tables/cells.csv",
        slices=expand("<results>/data/{dataset}/test_slices.csv", dataset=SLICED),
        notes=expand("<results>/data/{dataset}/test_slices.json", dataset=SLICED),
        groups=expand("<results>/data/{dataset}/test_groups.npy", dataset=SLICED),
        duplicates=expand("<results>/data/{dataset}/audit/duplicates.csv", dataset=SLICED),
    output:
        csv="<results>/tables/slices.csv",
        markdown="<results>/tables/slices.md",
        latex="<results>/tables/slices.tex",
        html=report(
            "<results>/tables/slices.html",
            caption="../report/slices_table.rst",
            category="4 Classes",
            labels={"shows": "table: slices"},
        ),
        gaps="<results>/tables/slice_gaps.csv",
        gaps_markdown="<results>/tables/slice_gaps.md",
        gaps_latex="<results>/tables/slice_gaps.tex",
        gaps_html=report(
            "<results>/tables/slice_gaps.html",
            caption="../report/slice_gaps.rst",
            category="4 Classes",
            labels={"shows": "table: gaps between slices"},
        ),
    log:
        "<logs>/report_slices.log",
    params:
        labels=get_run_labels,
        datasets=SLICED,
        code=code_of("report_slices.py"),
    script:
        "../scripts/report_slices.py"


rule plot_slices:
    """Accuracy of the recommended cell in every slice."""
    input:
        slices="<results>/tables/slices.csv",
        gaps="<results>/tables/slice_gaps.csv",
    output:
        report(
            "<results>/plots/{dataset}.slices.svg",
            caption="../report/slices.rst",
            category="4 Classes",
            labels={"shows": "slices, {dataset}"},
        ),
    log:
        "<logs>/plot_slices/{dataset}.log",
    params:
        code=code_of("plot_slices.py"),
    script:
        "../scripts/plot_slices.py"
