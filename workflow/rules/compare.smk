# From the metrics of all runs to what the report's tables and figures are made from. Nothing here or in report_*.smk reads a model.
#
# A result has one label, what it shows: of several, Snakemake's report turns a label with two equally frequent values into a switch, and
# fails if a combination does not exist.


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
        efficiency=inputs.measured_files(STUDY, EFFICIENCY, PLACES),
    output:
        runs="<results>/tables/runs.csv",
        records="<results>/tables/records.jsonl",
    log:
        "<logs>/collect_metrics.log",
    params:
        labels=get_run_labels,
        cells=get_selections,
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
        groups=expand("<results>/data/{dataset}/test_groups.npy", dataset=DATASETS),
        duplicates=expand("<results>/data/{dataset}/audit/duplicates.csv", dataset=DATASETS),
        seals=expand("<results>/data/{dataset}/seal.json", dataset=SEALED),
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
        margin=STUDY["margin"],
        datasets=DATASETS,
        sealed=SEALED,
        code=code_of("compare_strategies.py"),
    script:
        "../scripts/compare_strategies.py"


rule slice_test_images:
    """Which slice of each column (a site, a camera, an age) every test image lies in."""
    input:
        metadata="<results>/data/{dataset}/test_metadata.csv",
        files="<results>/data/{dataset}/test_files.csv",
    output:
        slices="<results>/data/{dataset}/test_slices.csv",
        notes="<results>/data/{dataset}/test_slices.json",
    log:
        "<logs>/slice_test_images/{dataset}.log",
    localrule: True
    params:
        settings=get_slices,
        code=code_of("slice_test_images.py"),
    script:
        "../scripts/slice_test_images.py"


rule check_seal:
    """Weights that a finished run left have seen no test image of the data set, or the study stops."""
    input:
        unpack(get_files_of_starts),
        test_files="<results>/data/{dataset}/test_files.csv",
        files="<results>/data/{dataset}/files.csv",
        split="<results>/data/{dataset}/split.npz",
    output:
        "<results>/data/{dataset}/seal.json",
    log:
        "<logs>/check_seal/{dataset}.log",
    localrule: True
    params:
        starts=get_starts,
        code=code_of("check_seal.py"),
    script:
        "../scripts/check_seal.py"
