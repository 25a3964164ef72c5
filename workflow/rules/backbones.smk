# Pretrained weights, and what a frozen backbone sees: features of the training rows and, apart from them, of the test rows.


rule fetch_weights:
    """Fetch pretrained weights once, check that they fit, and record where they came from."""
    input:
        file=get_weights_source,
    output:
        weights="<resources>/weights/{source}/{model}.{tag}.safetensors",
        record="<resources>/weights/{source}/{model}.{tag}.json",
    log:
        "<logs>/fetch_weights/{source}/{model}.{tag}.log",
    wildcard_constraints:
        source=any_of(names("architectures")),
        model=any_of({entry["model"] for entry in STUDY["backbones"].values()}),
        tag=any_of({weights_tag(entry["weights"]) for entry in STUDY["backbones"].values()}),
    localrule: True
    params:
        entry=get_weights_entry,
        code=network_code_of("fetch_weights.py"),
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
    threads: get_train_threads
    resources:
        gpu=get_gpus,
    params:
        run=get_machine,
        code=network_code_of("extract_features.py"),
    script:
        "../scripts/extract_features.py"


rule extract_test_features:
    """The same for the test rows, in a job of its own: no trained model or selected recipe depends on it."""
    input:
        images="<results>/data/{dataset}/test_images.npy",
        weights=weights_file(".safetensors"),
        record=weights_file(".json"),
    output:
        features="<results>/features/{dataset}/{backbone}/test.npy",
        cost="<results>/features/{dataset}/{backbone}/test_cost.json",
    log:
        "<logs>/extract_test_features/{dataset}/{backbone}.log",
    threads: get_train_threads
    resources:
        gpu=get_gpus,
    params:
        run=get_machine,
        code=network_code_of("extract_test_features.py"),
    script:
        "../scripts/extract_test_features.py"
