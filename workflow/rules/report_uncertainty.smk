# How sure the differences and the answers are. Chapter 5.


rule report_pairwise:
    """The tests between cells, to read: each difference, wins and losses, ranks over data sets."""
    input:
        pairwise="<results>/tables/pairwise.csv",
        comparison="<results>/tables/comparison.csv",
        test=expand("<results>/data/{dataset}/test.json", dataset=DATASETS),
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
        axes=AXES,
        datasets=DATASETS,
        code=code_of("report_pairwise.py"),
    script:
        "../scripts/report_pairwise.py"


rule report_stability:
    """Whether the order and the choice would be the same with other images, seeds and trials."""
    input:
        cells="<results>/tables/cells.csv",
        records="<results>/tables/records.jsonl",
        selected=get_selected,
    output:
        csv="<results>/tables/stability.csv",
        markdown="<results>/tables/stability.md",
        latex="<results>/tables/stability.tex",
        html=report(
            "<results>/tables/stability.html",
            caption="../report/stability.rst",
            category="5 Uncertainty",
            labels={"shows": "table: stability of the order"},
        ),
    log:
        "<logs>/report_stability.log",
    params:
        labels=get_run_labels,
        cells=get_selections,
        metric=STUDY["selection_metric"],
        code=code_of("report_stability.py"),
    script:
        "../scripts/report_stability.py"


rule report_calibration:
    """How far confidence and accuracy are apart, before and after the temperature: to read."""
    input:
        comparison="<results>/tables/comparison.csv",
    output:
        markdown="<results>/tables/calibration.md",
        latex="<results>/tables/calibration.tex",
        html=report(
            "<results>/tables/calibration.html",
            caption="../report/calibration.rst",
            category="5 Uncertainty",
            labels={"shows": "table: calibration"},
        ),
    log:
        "<logs>/report_calibration.log",
    params:
        code=code_of("report_calibration.py"),
    script:
        "../scripts/report_calibration.py"


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
        axes=AXES,
        code=code_of("plot_reliability.py"),
    script:
        "../scripts/plot_reliability.py"


rule report_clean_test:
    """The scores without the test images that the audit or the user marks, beside the full ones."""
    input:
        records="<results>/tables/records.jsonl",
        logits=run_files("test_logits.npz"),
        marks=expand("<results>/data/{dataset}/audit/test_marks.csv", dataset=DATASETS),
        files=expand("<results>/data/{dataset}/test_files.csv", dataset=DATASETS),
        groups=expand("<results>/data/{dataset}/test_groups.npy", dataset=DATASETS),
        duplicates=expand("<results>/data/{dataset}/audit/duplicates.csv", dataset=DATASETS),
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
