# What a study was made of: its runs, its environment, and on request the same as an RO-Crate. Chapter 8.


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


rule record_environment:
    """Versions, machines and commands of a study, digests and licences of its data and weights."""
    input:
        study="<results>/study.json",
        records="<results>/tables/records.jsonl",
        train=expand("<results>/data/{dataset}/train.json", dataset=DATASETS),
        test=expand("<results>/data/{dataset}/test.json", dataset=DATASETS),
        downloads=inputs.downloads(STUDY, DATASETS),
        weights=inputs.weights_records(STUDY, CELLS),
    output:
        "<results>/environment.json",
    log:
        "<logs>/record_environment.log",
    localrule: True
    params:
        datasets=DATASETS,
        labels=get_run_labels,
        folder=subpath(output[0], parent=True),
        code=code_of("record_environment.py"),
    script:
        "../scripts/record_environment.py"


rule describe_crate:
    """The study as an RO-Crate, in place: `make crate`. No target of the study asks for it."""
    input:
        environment="<results>/environment.json",
        study="<results>/study.json",
        tables=report_files.tables(STUDY, CELLS),
        plots=report_files.plots(STUDY, CELLS),
        runs=run_files("run.json"),
        metrics=run_files("metrics.json"),
        models=get_models,
    output:
        "<results>/ro-crate-metadata.json",
    log:
        "<logs>/describe_crate.log",
    localrule: True
    params:
        licence=STUDY["licence"] or "not stated",
        code=code_of("describe_crate.py"),
    script:
        "../scripts/describe_crate.py"
