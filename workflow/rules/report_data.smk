# What the images are: how many of each class, what was done with them, a few of each, and what the audit marked. Chapter 1 of the report.


rule report_images:
    """Classes and counts of every part, and what preparation did with the images."""
    input:
        train=expand("<results>/data/{dataset}/train.json", dataset=DATASETS),
        test=expand("<results>/data/{dataset}/test.json", dataset=DATASETS),
        groups=expand("<results>/data/{dataset}/groups.npy", dataset=DATASETS),
        split=expand("<results>/data/{dataset}/split.npz", dataset=DATASETS),
    output:
        classes="<results>/tables/image_classes.csv",
        classes_markdown="<results>/tables/image_classes.md",
        classes_latex="<results>/tables/image_classes.tex",
        classes_html=report(
            "<results>/tables/image_classes.html",
            caption="../report/image_classes.rst",
            category="1 Data",
            labels={"shows": "table: classes and counts"},
        ),
        facts="<results>/tables/image_facts.csv",
        facts_markdown="<results>/tables/image_facts.md",
        facts_latex="<results>/tables/image_facts.tex",
        facts_html=report(
            "<results>/tables/image_facts.html",
            caption="../report/image_facts.rst",
            category="1 Data",
            labels={"shows": "table: what was done with the images"},
        ),
    log:
        "<logs>/report_images.log",
    params:
        datasets=DATASETS,
        code=code_of("report_images.py"),
    script:
        "../scripts/report_images.py"


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
        summary="<results>/data/{dataset}/audit/audit.json",
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
