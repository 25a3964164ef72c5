# The test set is opened here: logits of every run, then scores from logits alone. One job handles all seeds of a cell.


rule predict_test:
    """Logits of the test images, for every seed of a cell."""
    input:
        images="<results>/data/{dataset}/test_images.npy",
        labels="<results>/data/{dataset}/test_labels.npy",
        data="<results>/data/{dataset}/test.json",
        classes="<results>/data/{dataset}/classes.json",
        runs=seed_files("run.json", SEEDS),
        models=seed_files("model.safetensors", SEEDS),
    output:
        logits=seed_files("test_logits.npz", SEEDS),
    log:
        "<logs>/predict_test/{dataset}/{backbone}/{strategy}.log",
    benchmark:
        "<benchmarks>/predict_test/{dataset}/{backbone}/{strategy}.tsv"
    wildcard_constraints:
        strategy=any_of(NETWORKS),
        dataset=any_of(NOT_FLIPPED),
    threads: THREADS
    resources:
        gpu=GPUS,
    params:
        run=get_machine,
        code=kind_code_of("predict_test.py", "architectures"),
    script:
        "../scripts/predict_test.py"


use rule predict_test as predict_test_flipped with:
    output:
        logits=seed_files("test_logits.npz", SEEDS),
        flipped=seed_files("test_logits_flipped.npz", SEEDS),
    log:
        "<logs>/predict_test_flipped/{dataset}/{backbone}/{strategy}.log",
    benchmark:
        "<benchmarks>/predict_test_flipped/{dataset}/{backbone}/{strategy}.tsv"
    wildcard_constraints:
        strategy=any_of(NETWORKS),
        dataset=any_of(FLIPPED),


rule predict_test_features:
    """Logits of the test images from cached features, for a strategy that is fitted on features."""
    input:
        features="<results>/features/{dataset}/{backbone}/test.npy",
        flipped=[],
        cost="<results>/features/{dataset}/{backbone}/test_cost.json",
        labels="<results>/data/{dataset}/test_labels.npy",
        models=seed_files("model.safetensors", FITTED_SEEDS),
    output:
        logits=seed_files("test_logits.npz", FITTED_SEEDS),
    log:
        "<logs>/predict_test_features/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        strategy=any_of(FEATURES),
        dataset=any_of(NOT_FLIPPED),
    params:
        kind=get_kind,
        code=kind_code_of("predict_test_features.py", "strategies"),
    script:
        "../scripts/predict_test_features.py"


use rule predict_test_features as predict_test_features_flipped with:
    input:
        features="<results>/features/{dataset}/{backbone}/test.npy",
        flipped="<results>/features/{dataset}/{backbone}/test_flipped.npy",
        cost="<results>/features/{dataset}/{backbone}/test_cost.json",
        labels="<results>/data/{dataset}/test_labels.npy",
        models=seed_files("model.safetensors", FITTED_SEEDS),
    output:
        logits=seed_files("test_logits.npz", FITTED_SEEDS),
        flipped=seed_files("test_logits_flipped.npz", FITTED_SEEDS),
    log:
        "<logs>/predict_test_features_flipped/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        strategy=any_of(FEATURES),
        dataset=any_of(FLIPPED),


rule evaluate:
    """Scores of every seed of a cell, from saved logits: a new metric never needs a model."""
    input:
        logits=seed_files("test_logits.npz", SEEDS),
        val_logits=seed_files("val_logits.npz", SEEDS),
        flipped=flipped_files(SEEDS),
        runs=seed_files("run.json", SEEDS),
        classes="<results>/data/{dataset}/classes.json",
    output:
        seed_files("metrics.json", SEEDS),
    log:
        "<logs>/evaluate/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        strategy=any_of(SEEDED),
    params:
        code=code_of("evaluate.py"),
    script:
        "../scripts/evaluate.py"


use rule evaluate as evaluate_once with:
    input:
        logits=seed_files("test_logits.npz", SEED_0),
        val_logits=seed_files("val_logits.npz", SEED_0),
        flipped=flipped_files(SEED_0),
        runs=seed_files("run.json", SEED_0),
        classes="<results>/data/{dataset}/classes.json",
    output:
        seed_files("metrics.json", SEED_0),
    log:
        "<logs>/evaluate_once/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        strategy=any_of(ONCE),


rule predict_corrupted:
    """Logits of corrupted test images, for the first seeds of a cell; only if the config asks for it."""
    input:
        images="<results>/data/{dataset}/test_images.npy",
        labels="<results>/data/{dataset}/test_labels.npy",
        classes="<results>/data/{dataset}/classes.json",
        runs=corrupted_seed_files("run.json", SEEDS),
        models=corrupted_seed_files("model.safetensors", SEEDS),
        weights=[],
        record=[],
    output:
        corrupted_seed_files("corrupted_logits.npz", SEEDS),
    log:
        "<logs>/predict_corrupted/{dataset}/{backbone}/{strategy}.log",
    benchmark:
        "<benchmarks>/predict_corrupted/{dataset}/{backbone}/{strategy}.tsv"
    wildcard_constraints:
        dataset=any_of(TRAINED),
        strategy=any_of(NETWORKS),
    threads: THREADS
    resources:
        gpu=GPUS,
    params:
        settings=get_corruption_settings,
        code=get_corruption_code,
    script:
        "../scripts/predict_corrupted.py"


use rule predict_corrupted as predict_corrupted_features with:
    input:
        images="<results>/data/{dataset}/test_images.npy",
        labels="<results>/data/{dataset}/test_labels.npy",
        classes="<results>/data/{dataset}/classes.json",
        runs=corrupted_seed_files("run.json", FITTED_SEEDS),
        models=corrupted_seed_files("model.safetensors", FITTED_SEEDS),
        weights=weights_file(".safetensors"),
        record=weights_file(".json"),
    output:
        corrupted_seed_files("corrupted_logits.npz", FITTED_SEEDS),
    log:
        "<logs>/predict_corrupted_features/{dataset}/{backbone}/{strategy}.log",
    benchmark:
        "<benchmarks>/predict_corrupted_features/{dataset}/{backbone}/{strategy}.tsv"
    wildcard_constraints:
        dataset=any_of(TRAINED),
        strategy=any_of(FEATURES),
