# The answer on one page, from the tables and figures of all chapters. Chapter 0.


rule report_summary:
    """What to use, how sure that is, what it costs, where it fails and what would change it."""
    input:
        study="<results>/study.json",
        environment="<results>/environment.json",
        tables=expand("<results>/tables/{name}.csv", name=report_files.SUMMARIZED),
        figures=expand(
            "<results>/plots/{dataset}.{name}",
            dataset=REPORTED,
            name=("accuracy.svg", "pareto.svg", "mistakes.json"),
        ),
        audits=expand("<results>/data/{dataset}/audit/audit.json", dataset=REPORTED),
        slices=[f"<results>/tables/{name}.csv" for name in ("slices", "slice_gaps") if SLICED],
        slice_plots=expand("<results>/plots/{dataset}.slices.svg", dataset=inputs.sliced(STUDY, REPORTED)),
        sizes=[f"<results>/tables/{name}.csv" for name in ("training_size", "label_more") if LIMITS],
        curves=[f"<results>/plots/{member['family']}.training_size.svg" for member in LIMITS],
    output:
        report(
            "<results>/summary.html",
            caption="../report/summary.rst",
            category="0 Answer",
            labels={"shows": "summary"},
        ),
    log:
        "<logs>/report_summary.log",
    localrule: True
    params:
        folder=subpath(output[0], parent=True),
        datasets=REPORTED,
        limits=LIMITS,
        sliced=SLICED,
        code=code_of("report_summary.py"),
    script:
        "../scripts/report_summary.py"
