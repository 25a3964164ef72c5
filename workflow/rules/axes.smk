# What a study asks along one axis: one strategy under several augmentation policies, one network with several activations.


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
        families=get_families,
        datasets=DATASETS,
        axes=get_family_axes,
        code=code_of("compare_policies.py"),
    script:
        "../scripts/compare_policies.py"


rule compare_activations:
    """Silent units of every cell whose backbone names its activation."""
    input:
        comparison="<results>/tables/comparison.csv",
        activity=get_silent_unit_files,
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
        labels=get_silent_unit_labels,
        datasets=DATASETS,
        axes=get_axes,
        code=code_of("compare_activations.py"),
    script:
        "../scripts/compare_activations.py"
