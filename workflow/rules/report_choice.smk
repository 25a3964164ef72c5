# What it cost, and what to pick. Chapters 6 and 7.


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
        axes=AXES,
        code=code_of("plot_pareto.py"),
    script:
        "../scripts/plot_pareto.py"


rule report_recommendation:
    """What to pick: for every budget the best cell by validation, and the cheapest shown to be as good."""
    input:
        comparison="<results>/tables/comparison.csv",
        cells="<results>/tables/cells.csv",
        differences="<results>/tables/differences.csv",
        runs="<results>/tables/runs.csv",
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
        margin=STUDY["margin"],
        code=code_of("report_recommendation.py"),
    script:
        "../scripts/report_recommendation.py"


rule report_transferability:
    """Scores of the frozen backbones beside what fine-tuning reached, and their rank correlation."""
    input:
        scores=inputs.measured_files(STUDY, TRANSFERABILITY, PRETRAINED),
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
