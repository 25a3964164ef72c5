# Pretrained weights, and what a frozen backbone sees: features of the training rows and, apart from them, of the test rows.


rule fetch_weights:
    """Fetch pretrained weights once, check that they fit, and record where they came from."""
    input:
        file=weights_origin("model.safetensors"),
        run=weights_origin("run.json"),
    output:
        weights="<resources>/weights/{source}/{model}.{tag}.safetensors",
        record="<resources>/weights/{source}/{model}.{tag}.json",
    log:
        "<logs>/fetch_weights/{source}/{model}.{tag}.log",
    wildcard_constraints:
        source=any_of(kinds.names("architectures")),
        model=any_of({entry["model"] for entry in STUDY["backbones"].values()}),
        tag=any_of({weights_tag(entry["weights"]) for entry in STUDY["backbones"].values()}),
    localrule: True
    params:
        entry=get_weights_entry,
        code=get_weights_code,
    script:
        "../scripts/fetch_weights.py"


rule extract_features:
    """Run the frozen backbone once over the train and validation rows; every strategy that starts frozen shares it."""
    input:
        images="<results>/data/{dataset}/images.npy",
        split="<results>/data/{dataset}/split.npz",
        weights=weights_file(".safetensors"),
        record=weights_file(".json"),
    output:
        features="<results>/features/{dataset}/{backbone}/train.npy",
        cost="<results>/features/{dataset}/{backbone}/cost.json",
    log:
        "<logs>/extract_features/{dataset}/{backbone}.log",
    threads: THREADS
    resources:
        gpu=GPUS,
    params:
        run=get_machine,
        code=kind_code_of("extract_features.py", "architectures"),
    script:
        "../scripts/extract_features.py"


rule extract_test_features:
    """The same for the test rows, in a job of its own: no trained model or selected recipe depends on it."""
    input:
        images="<results>/data/{dataset}/test_images.npy",
        data="<results>/data/{dataset}/test.json",
        weights=weights_file(".safetensors"),
        record=weights_file(".json"),
    output:
        features="<results>/features/{dataset}/{backbone}/test.npy",
        cost="<results>/features/{dataset}/{backbone}/test_cost.json",
    log:
        "<logs>/extract_test_features/{dataset}/{backbone}.log",
    wildcard_constraints:
        dataset=any_of(NOT_FLIPPED),
    threads: THREADS
    resources:
        gpu=GPUS,
    params:
        run=get_machine,
        code=kind_code_of("extract_test_features.py", "architectures"),
    script:
        "../scripts/extract_test_features.py"


use rule extract_test_features as extract_test_features_flipped with:
    output:
        features="<results>/features/{dataset}/{backbone}/test.npy",
        flipped="<results>/features/{dataset}/{backbone}/test_flipped.npy",
        cost="<results>/features/{dataset}/{backbone}/test_cost.json",
    log:
        "<logs>/extract_test_features_flipped/{dataset}/{backbone}.log",
    benchmark:
        "<benchmarks>/extract_test_features_flipped/{dataset}/{backbone}.tsv"
    wildcard_constraints:
        dataset=any_of(FLIPPED),


rule cache_views:
    """Run the part of a network that a kind never moves once, over fixed augmented views of the training images and the plain validation images."""
    input:
        images="<results>/data/{dataset}/images.npy",
        split="<results>/data/{dataset}/split.npz",
        weights=weights_file(".safetensors"),
        record=weights_file(".json"),
    output:
        views="<results>/features/{dataset}/{backbone}/{kind}-{policy}-{views}views/views.npy",
        plain="<results>/features/{dataset}/{backbone}/{kind}-{policy}-{views}views/plain.npy",
        cost="<results>/features/{dataset}/{backbone}/{kind}-{policy}-{views}views/cost.json",
    log:
        "<logs>/cache_views/{dataset}/{backbone}/{kind}-{policy}-{views}views.log",
    benchmark:
        "<benchmarks>/cache_views/{dataset}/{backbone}/{kind}-{policy}-{views}views.tsv"
    wildcard_constraints:
        kind=any_of(kinds.names("strategies")),
        policy=any_of(kinds.names("policies")),
        views=r"\d+",
    threads: THREADS
    resources:
        gpu=GPUS,
        # No parameter: another limit makes no other file.
        largest_mb=round(1000 * STUDY["cached_views_gb"]),
    params:
        run=lambda wildcards: cached_views.views_run(STUDY, wildcards),
        code=lambda wildcards: code_digest("cache_views.py", *cached_views.view_modules(STUDY, wildcards)),
    script:
        "../scripts/cache_views.py"


rule score_transferability:
    """Score the frozen features of the training rows: which backbones promise most, before any fine-tuning."""
    input:
        features="<results>/features/{dataset}/{backbone}/train.npy",
        labels="<results>/data/{dataset}/labels.npy",
        split="<results>/data/{dataset}/split.npz",
        classes="<results>/data/{dataset}/classes.json",
    output:
        TRANSFERABILITY,
    log:
        "<logs>/score_transferability/{dataset}/{backbone}.log",
    params:
        code=code_of("score_transferability.py"),
    script:
        "../scripts/score_transferability.py"


rule measure_activations:
    """The share of silent units before and after training, if a backbone's config names its activation."""
    input:
        images="<results>/data/{dataset}/images.npy",
        split="<results>/data/{dataset}/split.npz",
        classes="<results>/data/{dataset}/classes.json",
        weights=weights_file(".safetensors"),
        record=weights_file(".json"),
        normalization=get_normalization,
        runs=seed_files("run.json", SEEDS),
        models=seed_files("model.safetensors", SEEDS),
    output:
        "<results>/activations/{dataset}/{backbone}/{strategy}.csv",
    log:
        "<logs>/measure_activations/{dataset}/{backbone}/{strategy}.log",
    benchmark:
        "<benchmarks>/measure_activations/{dataset}/{backbone}/{strategy}.tsv"
    wildcard_constraints:
        strategy=any_of(LOOP),
    threads: THREADS
    resources:
        gpu=GPUS,
    params:
        run=get_machine,
        code=kind_code_of("measure_activations.py", "architectures"),
    script:
        "../scripts/measure_activations.py"
