# Data sets that are tested in folds: all images are prepared once and dealt out; each fold is a data set that trains and is tested as any
# other; their runs are pooled. What trains reads the train part of its fold, in which no test image of that fold is.


rule deal_folds:
    """Deal the images into folds, by class, groups and near duplicates kept whole."""
    input:
        labels="<results>/data/{dataset}/labels.npy",
        groups="<results>/data/{dataset}/groups.npy",
        data="<results>/data/{dataset}/train.json",
        classes="<results>/data/{dataset}/classes.json",
        images=get_images_to_group,
    output:
        "<results>/data/{dataset}/split.npz",
    log:
        "<logs>/deal_folds/{dataset}.log",
    wildcard_constraints:
        dataset=any_of(FOLDED),
    params:
        settings=get_fold_settings,
        code=code_of("deal_folds.py"),
    script:
        "../scripts/deal_folds.py"


rule prepare_train_of_fold:
    """Copy what a fold trains and validates with: the images of all other folds."""
    input:
        images=of_whole("images.npy"),
        files=of_whole("files.csv"),
        metadata=of_whole("metadata.csv"),
        summary=of_whole("train.json"),
        classes=of_whole("classes.json"),
        split=of_whole("split.npz"),
    output:
        images="<results>/data/{dataset}/images.npy",
        labels="<results>/data/{dataset}/labels.npy",
        groups="<results>/data/{dataset}/groups.npy",
        classes="<results>/data/{dataset}/classes.json",
        files="<results>/data/{dataset}/files.csv",
        metadata="<results>/data/{dataset}/metadata.csv",
        summary="<results>/data/{dataset}/train.json",
    log:
        "<logs>/prepare_train_of_fold/{dataset}.log",
    wildcard_constraints:
        dataset=any_of(FOLDS),
    params:
        number=get_fold_number,
        part="train",
        code=code_of("copy_fold.py"),
    script:
        "../scripts/copy_fold.py"


rule prepare_test_of_fold:
    """Copy the images that a fold tests. As of any data set, only prediction and what follows it read them."""
    input:
        images=of_whole("images.npy"),
        files=of_whole("files.csv"),
        metadata=of_whole("metadata.csv"),
        summary=of_whole("train.json"),
        classes=of_whole("classes.json"),
        split=of_whole("split.npz"),
    output:
        images="<results>/data/{dataset}/test_images.npy",
        labels="<results>/data/{dataset}/test_labels.npy",
        groups="<results>/data/{dataset}/test_groups.npy",
        files="<results>/data/{dataset}/test_files.csv",
        metadata="<results>/data/{dataset}/test_metadata.csv",
        summary="<results>/data/{dataset}/test.json",
    log:
        "<logs>/prepare_test_of_fold/{dataset}.log",
    wildcard_constraints:
        dataset=any_of(FOLDS),
    params:
        number=get_fold_number,
        part="test",
        code=code_of("copy_fold.py"),
    script:
        "../scripts/copy_fold.py"


use rule prepare_test_of_fold as prepare_test_of_all_folds with:
    input:
        images="<results>/data/{dataset}/images.npy",
        files="<results>/data/{dataset}/files.csv",
        metadata="<results>/data/{dataset}/metadata.csv",
        summary="<results>/data/{dataset}/train.json",
        classes="<results>/data/{dataset}/classes.json",
        split="<results>/data/{dataset}/split.npz",
    log:
        "<logs>/prepare_test_of_all_folds/{dataset}.log",
    wildcard_constraints:
        dataset=any_of(FOLDED),


rule audit_folds:
    """Mark duplicates, suspected labels and odd images among all images. Nothing that trains or selects depends on it."""
    input:
        images="<results>/data/{dataset}/images.npy",
        labels="<results>/data/{dataset}/labels.npy",
        files="<results>/data/{dataset}/files.csv",
        split="<results>/data/{dataset}/split.npz",
        classes="<results>/data/{dataset}/classes.json",
        features=audit_features("train.npy"),
    output:
        pairs="<results>/data/{dataset}/audit/duplicates.csv",
        issues="<results>/data/{dataset}/audit/label_issues.csv",
        marks="<results>/data/{dataset}/audit/test_marks.csv",
        summary="<results>/data/{dataset}/audit/audit.json",
    log:
        "<logs>/audit_folds/{dataset}.log",
    wildcard_constraints:
        dataset=any_of(FOLDED),
    threads: THREADS
    params:
        settings=get_audit_settings,
        code=code_of("audit_folds.py"),
    script:
        "../scripts/audit_folds.py"


rule pool_selection:
    """How the folds of a cell chose their recipes, as one choice."""
    input:
        of_folds("<results>/tuning/{dataset}/{backbone}/{strategy}<of_seed>/selected.json"),
    output:
        "<results>/tuning/{dataset}/{backbone}/{strategy}<of_seed>/selected.json",
    log:
        "<logs>/pool_selection/{dataset}/{backbone}/{strategy}<of_seed>.log",
    wildcard_constraints:
        dataset=any_of(FOLDED),
    localrule: True
    params:
        code=code_of("pool_selection.py"),
    script:
        "../scripts/pool_selection.py"


rule pool_runs:
    """The runs of all folds with one seed as one run, which has answered every image."""
    input:
        run=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/run.json"),
        cost=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/cost.json"),
        history=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/history.csv"),
        val_logits=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/val_logits.npz"),
        test_logits=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/test_logits.npz"),
        split="<results>/data/{dataset}/split.npz",
    output:
        run="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/run.json",
        cost="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/cost.json",
        history="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/history.csv",
        val_logits="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/val_logits.npz",
        test_logits="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/test_logits.npz",
    log:
        "<logs>/pool_runs/{dataset}/{backbone}/{strategy}/seed{seed}.log",
    wildcard_constraints:
        dataset=any_of(name for name in FOLDED if not STUDY["datasets"][name]["flip"]),
    localrule: True
    params:
        code=code_of("pool_runs.py"),
    script:
        "../scripts/pool_runs.py"


use rule pool_runs as pool_runs_flipped with:
    input:
        run=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/run.json"),
        cost=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/cost.json"),
        history=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/history.csv"),
        val_logits=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/val_logits.npz"),
        test_logits=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/test_logits.npz"),
        flipped=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/test_logits_flipped.npz"),
        split="<results>/data/{dataset}/split.npz",
    output:
        run="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/run.json",
        cost="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/cost.json",
        history="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/history.csv",
        val_logits="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/val_logits.npz",
        test_logits="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/test_logits.npz",
        flipped="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/test_logits_flipped.npz",
    log:
        "<logs>/pool_runs_flipped/{dataset}/{backbone}/{strategy}/seed{seed}.log",
    wildcard_constraints:
        dataset=any_of(name for name in FOLDED if STUDY["datasets"][name]["flip"]),


rule pool_corrupted:
    """The same of the corrupted test images, for the seeds that see them."""
    input:
        logits=of_folds("<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/corrupted_logits.npz"),
        split="<results>/data/{dataset}/split.npz",
    output:
        "<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/corrupted_logits.npz",
    log:
        "<logs>/pool_corrupted/{dataset}/{backbone}/{strategy}/seed{seed}.log",
    wildcard_constraints:
        dataset=any_of(FOLDED),
    localrule: True
    params:
        code=code_of("pool_corrupted.py"),
    script:
        "../scripts/pool_corrupted.py"
