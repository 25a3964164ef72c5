# Tuning trials, the choice of a recipe, and the final runs; a probe does all three in one job.


rule fit_probe:
    """Fit a linear probe or neighbours on cached features, for every value of the grid, and choose by validation: one job."""
    input:
        features="<results>/features/{dataset}/{backbone}/train.npy",
        features_cost="<results>/features/{dataset}/{backbone}/cost.json",
        labels="<results>/data/{dataset}/labels.npy",
        split="<results>/data/{dataset}/<own_split>",
        classes="<results>/data/{dataset}/classes.json",
        data="<results>/data/{dataset}/train.json",
        record=weights_file(".json"),
    output:
        selected="<results>/tuning/{dataset}/{backbone}/{strategy}<of_seed>/selected.json",
        model="<results>/runs/{dataset}/{backbone}/{strategy}/<fitted>/model.safetensors",
        history="<results>/runs/{dataset}/{backbone}/{strategy}/<fitted>/history.csv",
        run="<results>/runs/{dataset}/{backbone}/{strategy}/<fitted>/run.json",
        cost="<results>/runs/{dataset}/{backbone}/{strategy}/<fitted>/cost.json",
        val_logits="<results>/runs/{dataset}/{backbone}/{strategy}/<fitted>/val_logits.npz",
    log:
        "<logs>/fit_probe/{dataset}/{backbone}/{strategy}<of_seed>.log",
    benchmark:
        "<benchmarks>/fit_probe/{dataset}/{backbone}/{strategy}<of_seed>.tsv"
    wildcard_constraints:
        dataset=any_of(TRAINED),
        strategy=any_of(FEATURES),
    threads: THREADS
    params:
        run=get_probe_run,
        code=kind_code_of("fit_probe.py", "strategies"),
    script:
        "../scripts/fit_probe.py"


rule train_trial:
    """Train one point of a strategy's tuning grid with the trial seed, as long as a final run or as its rung allows."""
    input:
        unpack(get_start),
        images="<results>/data/{dataset}/images.npy",
        split="<results>/data/{dataset}/<own_split>",
    output:
        "<results>/tuning/{dataset}/{backbone}/{strategy}<of_seed>/trial{trial}/trial.json",
    log:
        "<logs>/train_trial/{dataset}/{backbone}/{strategy}<of_seed>/trial{trial}.log",
    benchmark:
        "<benchmarks>/train_trial/{dataset}/{backbone}/{strategy}<of_seed>/trial{trial}.tsv"
    wildcard_constraints:
        strategy=any_of(LOOP),
        trial=r"\d+(/rung\d+)?",
    priority: get_priority
    threads: RUN_THREADS
    resources:
        gpu=RUN_GPUS,
    params:
        run=get_trial_run,
        resume=get_resume,
        code=kind_code_of("train_trial.py", "strategies", "policies", "architectures"),
    script:
        "../scripts/train_trial.py"


rule promote_trials:
    """Choose the trials that go on to a rung of a successive halving: those that validated best on the rung below."""
    input:
        trials=get_trials,
    output:
        "<results>/tuning/{dataset}/{backbone}/{strategy}<of_seed>/rung{rung}.json",
    log:
        "<logs>/promote_trials/{dataset}/{backbone}/{strategy}<of_seed>/rung{rung}.log",
    wildcard_constraints:
        strategy=any_of(LOOP),
        rung=r"[1-9]\d*",
    localrule: True
    params:
        settings=get_promotion,
        code=code_of("promote_trials.py"),
    script:
        "../scripts/promote_trials.py"


rule select_recipe:
    """Choose the learning rate by validation; an untuned strategy's recipe is taken as it is."""
    input:
        trials=get_trials,
    output:
        selected="<results>/tuning/{dataset}/{backbone}/{strategy}<of_seed>/selected.json",
        recipe="<results>/tuning/{dataset}/{backbone}/{strategy}<of_seed>/recipe.json",
    log:
        "<logs>/select_recipe/{dataset}/{backbone}/{strategy}<of_seed>.log",
    wildcard_constraints:
        dataset=any_of(TRAINED),
        strategy=any_of(LOOP),
    localrule: True
    params:
        run=get_selection,
        code=code_of("select_recipe.py"),
    script:
        "../scripts/select_recipe.py"


rule train:
    """Train one backbone on one data set with one strategy and one seed, at the recipe that validation chose."""
    input:
        unpack(get_start),
        images="<results>/data/{dataset}/images.npy",
        split="<results>/data/{dataset}/<own_split>",
        recipe="<results>/tuning/{dataset}/{backbone}/{strategy}<of_seed>/recipe.json",
    output:
        model="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/model.safetensors",
        history="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/history.csv",
        run="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/run.json",
        cost="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/cost.json",
        val_logits="<results>/runs/{dataset}/{backbone}/{strategy}/seed{seed}/val_logits.npz",
    log:
        "<logs>/train/{dataset}/{backbone}/{strategy}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train/{dataset}/{backbone}/{strategy}/seed{seed}.tsv"
    wildcard_constraints:
        dataset=any_of(TRAINED),
        strategy=any_of(LOOP),
    priority: get_priority
    threads: RUN_THREADS
    resources:
        gpu=RUN_GPUS,
    params:
        run=get_run,
        resume=get_resume,
        code=kind_code_of("train.py", "strategies", "policies", "architectures"),
    script:
        "../scripts/train.py"


rule measure_cost:
    """Count the operations of every strategy's training step on a backbone, and time its forward pass."""
    input:
        images="<results>/data/{dataset}/images.npy",
        labels="<results>/data/{dataset}/labels.npy",
        split="<results>/data/{dataset}/split.npz",
        classes="<results>/data/{dataset}/classes.json",
    output:
        "<results>/runs/{dataset}/{backbone}/efficiency.json",
    log:
        "<logs>/measure_cost/{dataset}/{backbone}.log",
    threads: THREADS
    resources:
        gpu=GPUS,
    params:
        settings=get_cost_settings,
        code=get_cost_code,
    script:
        "../scripts/measure_cost.py"
