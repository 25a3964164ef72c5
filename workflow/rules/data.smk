# From a source of images to arrays: download, prepare (train and test apart), split, normalization, a look at augmentation.


rule download_dataset:
    """Fetch a published data set's archives, on the machine that submits: compute nodes often have no network."""
    output:
        DOWNLOADED,
    log:
        "<logs>/download_dataset/{source}/{name}.log",
    wildcard_constraints:
        source=any_of(kinds.having("sources", "download")),
        name=any_of(name for name in map(download_of, STUDY["datasets"].values()) if name),
    localrule: True
    params:
        settings=get_download,
        folder=subpath(output[0], parent=True),
    script:
        "../scripts/download_dataset.py"


rule prepare_train:
    """Decode the training images once, into the one form that all that follows reads."""
    input:
        downloaded=get_downloaded,
    output:
        images="<results>/data/{dataset}/images.npy",
        labels="<results>/data/{dataset}/labels.npy",
        groups="<results>/data/{dataset}/groups.npy",
        classes="<results>/data/{dataset}/classes.json",
        files="<results>/data/{dataset}/files.csv",
        metadata="<results>/data/{dataset}/metadata.csv",
        summary="<results>/data/{dataset}/train.json",
    log:
        "<logs>/prepare_train/{dataset}.log",
    wildcard_constraints:
        dataset=any_of(WHOLE + FOLDED),
    threads: DECODING_THREADS
    params:
        settings=get_dataset,
        code=kind_code_of("prepare_train.py", "sources"),
    script:
        "../scripts/prepare_train.py"


rule prepare_test:
    """Decode the test images. Its outputs are read by prediction and by figures of the test set, never by training."""
    input:
        downloaded=get_downloaded,
        classes="<results>/data/{dataset}/classes.json",
        train="<results>/data/{dataset}/train.json",
    output:
        images="<results>/data/{dataset}/test_images.npy",
        labels="<results>/data/{dataset}/test_labels.npy",
        groups="<results>/data/{dataset}/test_groups.npy",
        files="<results>/data/{dataset}/test_files.csv",
        metadata="<results>/data/{dataset}/test_metadata.csv",
        summary="<results>/data/{dataset}/test.json",
    log:
        "<logs>/prepare_test/{dataset}.log",
    wildcard_constraints:
        dataset=any_of(WHOLE),
    threads: DECODING_THREADS
    params:
        settings=get_dataset,
        code=kind_code_of("prepare_test.py", "sources"),
    script:
        "../scripts/prepare_test.py"


rule split_dataset:
    """Hold out the validation part, stratified, groups kept whole, with a seed of its own."""
    input:
        labels="<results>/data/{dataset}/labels.npy",
        groups="<results>/data/{dataset}/groups.npy",
        data="<results>/data/{dataset}/train.json",
        classes="<results>/data/{dataset}/classes.json",
        images=get_images_to_compare,
        suspects=get_suspects,
    output:
        "<results>/data/{dataset}/split.npz",
    log:
        "<logs>/split_dataset/{dataset}.log",
    wildcard_constraints:
        dataset=any_of(TRAINED),
    params:
        settings=get_split_settings,
        code=code_of("split_dataset.py"),
    script:
        "../scripts/split_dataset.py"


rule split_for_seed:
    """Draw another validation part of the same images for one seed, if the config wants each seed to have its own."""
    input:
        split="<results>/data/{dataset}/split.npz",
        classes="<results>/data/{dataset}/classes.json",
    output:
        OWN_SPLIT,
    log:
        "<logs>/split_for_seed/{dataset}/seed{seed}.log",
    localrule: True
    params:
        settings=get_own_split,
        code=code_of("split_for_seed.py"),
    script:
        "../scripts/split_for_seed.py"


use rule split_dataset as split_with_all_labels with:
    input:
        labels="<results>/data/{dataset}/labels.npy",
        groups="<results>/data/{dataset}/groups.npy",
        data="<results>/data/{dataset}/train.json",
        classes="<results>/data/{dataset}/classes.json",
        images=get_images_to_compare,
    output:
        "<results>/data/{dataset}/split_with_all_labels.npz",
    log:
        "<logs>/split_with_all_labels/{dataset}.log",
    params:
        settings=get_split_settings_without_drop,
        code=code_of("split_dataset.py"),


rule rank_labels:
    """Rank the training images by how little a probe trusts their labels, if the config leaves the worst out."""
    input:
        images="<results>/data/{dataset}/images.npy",
        labels="<results>/data/{dataset}/labels.npy",
        classes="<results>/data/{dataset}/classes.json",
        split="<results>/data/{dataset}/split_with_all_labels.npz",
        weights=judges_weights(".safetensors"),
        record=judges_weights(".json"),
    output:
        "<results>/data/{dataset}/label_ranks.csv",
    log:
        "<logs>/rank_labels/{dataset}.log",
    threads: THREADS
    resources:
        gpu=GPUS,
    params:
        run=get_judge,
        code=code_of("rank_labels.py"),
    script:
        "../scripts/rank_labels.py"


rule compute_normalization:
    """Per-channel mean and standard deviation over all pixels of train and validation, for networks from scratch."""
    input:
        images="<results>/data/{dataset}/images.npy",
        split="<results>/data/{dataset}/split.npz",
    output:
        "<results>/data/{dataset}/normalization.json",
    log:
        "<logs>/compute_normalization/{dataset}.log",
    benchmark:
        "<benchmarks>/compute_normalization/{dataset}.tsv"
    params:
        code=code_of("compute_normalization.py"),
    script:
        "../scripts/compute_normalization.py"


rule preview_augmentations:
    """Apply every policy to a few training images, to look at."""
    input:
        images="<results>/data/{dataset}/images.npy",
        labels="<results>/data/{dataset}/labels.npy",
        split="<results>/data/{dataset}/split.npz",
    output:
        "<results>/data/{dataset}/augmentations.npz",
    log:
        "<logs>/preview_augmentations/{dataset}.log",
    params:
        policies=get_policies,
        code=code_of("preview_augmentations.py", *(kinds.module("policies", name) for name in kinds.names("policies"))),
    script:
        "../scripts/preview_augmentations.py"


rule audit_dataset:
    """Mark duplicates, suspected labels and odd images. It reads the test set, so nothing that trains or selects may depend on it."""
    input:
        images="<results>/data/{dataset}/images.npy",
        labels="<results>/data/{dataset}/labels.npy",
        files="<results>/data/{dataset}/files.csv",
        test_images="<results>/data/{dataset}/test_images.npy",
        test_labels="<results>/data/{dataset}/test_labels.npy",
        test_files="<results>/data/{dataset}/test_files.csv",
        split="<results>/data/{dataset}/split.npz",
        classes="<results>/data/{dataset}/classes.json",
        own_splits=OWN_SPLITS,
        train_features=audit_features("train.npy"),
        test_features=audit_features("test.npy"),
    output:
        pairs="<results>/data/{dataset}/audit/duplicates.csv",
        issues="<results>/data/{dataset}/audit/label_issues.csv",
        marks="<results>/data/{dataset}/audit/test_marks.csv",
        summary="<results>/data/{dataset}/audit/audit.json",
    log:
        "<logs>/audit_dataset/{dataset}.log",
    benchmark:
        "<benchmarks>/audit_dataset/{dataset}.tsv"
    wildcard_constraints:
        dataset=any_of(TRAINED),
    threads: THREADS
    params:
        settings=get_audit_settings,
        code=code_of("audit_dataset.py"),
    script:
        "../scripts/audit_dataset.py"
