# Cells that are made of the finished runs of another strategy, on the same data set and backbone: nothing is trained here.


rule combine_answers:
    """Let all runs of a cell answer together: logits of the validation images, and what all of it took."""
    input:
        unpack(members("run.json", "cost.json", "val_logits.npz")),
    output:
        selected="<results>/tuning/{dataset}/{backbone}/{strategy}/selected.json",
        history="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/history.csv",
        run="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/run.json",
        cost="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/cost.json",
        val_logits="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/val_logits.npz",
    log:
        "<logs>/combine_answers/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        dataset=any_of(TRAINED),
        strategy=any_of(TOGETHER),
    params:
        run=get_combined_run,
        code=kind_code_of("combine_answers.py", "strategies"),
    script:
        "../scripts/combine_answers.py"


rule predict_test_together:
    """Logits of the test images of a cell whose networks answer together, from the logits of each."""
    input:
        runs=member_files("run.json"),
        logits=member_files("test_logits.npz"),
        flipped=[],
    output:
        logits="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/test_logits.npz",
    log:
        "<logs>/predict_test_together/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        strategy=any_of(TOGETHER),
        dataset=any_of(NOT_FLIPPED),
    params:
        kind=get_kind,
        code=kind_code_of("predict_test_together.py", "strategies"),
    script:
        "../scripts/predict_test_together.py"


use rule predict_test_together as predict_test_together_flipped with:
    input:
        runs=member_files("run.json"),
        logits=member_files("test_logits.npz"),
        flipped=member_files("test_logits_flipped.npz"),
    output:
        logits="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/test_logits.npz",
        flipped="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/test_logits_flipped.npz",
    log:
        "<logs>/predict_test_together_flipped/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        strategy=any_of(TOGETHER),
        dataset=any_of(FLIPPED),


rule combine_weights:
    """Mix the weights of finished networks, as validation chooses: one network from the runs of all seeds."""
    input:
        unpack(members("run.json", "cost.json", "model.safetensors", "val_logits.npz")),
        images="<results>/data/{dataset}/images.npy",
        split="<results>/data/{dataset}/split.npz",
    output:
        selected="<results>/tuning/{dataset}/{backbone}/{strategy}/selected.json",
        model=seed_files("model.safetensors", SEED_0),
        history=seed_files("history.csv", SEED_0),
        run=seed_files("run.json", SEED_0),
        cost=seed_files("cost.json", SEED_0),
        val_logits=seed_files("val_logits.npz", SEED_0),
    log:
        "<logs>/combine_weights/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        dataset=any_of(TRAINED),
        strategy=any_of(name for name in NETWORKS_ONCE if name in MADE),
    threads: THREADS
    resources:
        gpu=GPUS,
    params:
        run=get_combined_run,
        code=kind_code_of("combine_weights.py", "strategies", "architectures"),
    script:
        "../scripts/combine_weights.py"


use rule combine_weights as combine_weights_per_seed with:
    output:
        selected="<results>/tuning/{dataset}/{backbone}/{strategy}/selected.json",
        model=seed_files("model.safetensors", SEEDS),
        history=seed_files("history.csv", SEEDS),
        run=seed_files("run.json", SEEDS),
        cost=seed_files("cost.json", SEEDS),
        val_logits=seed_files("val_logits.npz", SEEDS),
    log:
        "<logs>/combine_weights_per_seed/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        dataset=any_of(TRAINED),
        strategy=any_of(name for name in NETWORKS if name in MADE),


use rule predict_test as predict_test_once with:
    input:
        images="<results>/data/{dataset}/test_images.npy",
        labels="<results>/data/{dataset}/test_labels.npy",
        data="<results>/data/{dataset}/test.json",
        classes="<results>/data/{dataset}/classes.json",
        runs=seed_files("run.json", SEED_0),
        models=seed_files("model.safetensors", SEED_0),
    output:
        logits=seed_files("test_logits.npz", SEED_0),
    log:
        "<logs>/predict_test_once/{dataset}/{backbone}/{strategy}.log",
    benchmark:
        "<benchmarks>/predict_test_once/{dataset}/{backbone}/{strategy}.tsv"
    wildcard_constraints:
        strategy=any_of(NETWORKS_ONCE),
        dataset=any_of(NOT_FLIPPED),


use rule predict_test_once as predict_test_once_flipped with:
    output:
        logits=seed_files("test_logits.npz", SEED_0),
        flipped=seed_files("test_logits_flipped.npz", SEED_0),
    log:
        "<logs>/predict_test_once_flipped/{dataset}/{backbone}/{strategy}.log",
    benchmark:
        "<benchmarks>/predict_test_once_flipped/{dataset}/{backbone}/{strategy}.tsv"
    wildcard_constraints:
        strategy=any_of(NETWORKS_ONCE),
        dataset=any_of(FLIPPED),


use rule predict_corrupted as predict_corrupted_once with:
    input:
        images="<results>/data/{dataset}/test_images.npy",
        labels="<results>/data/{dataset}/test_labels.npy",
        classes="<results>/data/{dataset}/classes.json",
        runs=corrupted_seed_files("run.json", SEED_0),
        models=corrupted_seed_files("model.safetensors", SEED_0),
        weights=[],
        record=[],
    output:
        corrupted_seed_files("corrupted_logits.npz", SEED_0),
    log:
        "<logs>/predict_corrupted_once/{dataset}/{backbone}/{strategy}.log",
    benchmark:
        "<benchmarks>/predict_corrupted_once/{dataset}/{backbone}/{strategy}.tsv"
    wildcard_constraints:
        dataset=any_of(TRAINED),
        strategy=any_of(NETWORKS_ONCE),
