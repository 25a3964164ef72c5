# What the images are: a few of each class, and what the audit marked. Chapter 1 of the report.


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
