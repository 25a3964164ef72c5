# Cells whose predictions come from outside: the user's files become the files of a run. No network runs, and nothing is trained.


rule take_predictions:
    """Take the user's predictions of the validation images, and what their owner states of their cost."""
    input:
        files="<results>/data/{dataset}/files.csv",
        split="<results>/data/{dataset}/split.npz",
        classes="<results>/data/{dataset}/classes.json",
    output:
        selected="<results>/tuning/{dataset}/{backbone}/{strategy}/selected.json",
        history="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/history.csv",
        run="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/run.json",
        cost="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/cost.json",
        val_logits="<results>/runs/{dataset}/{backbone}/{strategy}/seed0/val_logits.npz",
    log:
        "<logs>/take_predictions/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        strategy=any_of(GIVEN),
    params:
        run=get_given_run,
        code=kind_code_of("take_predictions.py", "strategies"),
    script:
        "../scripts/take_predictions.py"


rule take_test_predictions:
    """Take the user's predictions of the test images, in a job of its own: nothing that is chosen on validation depends on it."""
    input:
        files="<results>/data/{dataset}/test_files.csv",
        labels="<results>/data/{dataset}/test_labels.npy",
        classes="<results>/data/{dataset}/classes.json",
        data="<results>/data/{dataset}/test.json",
    output:
        "<results>/runs/{dataset}/{backbone}/{strategy}/seed0/test_logits.npz",
    log:
        "<logs>/take_test_predictions/{dataset}/{backbone}/{strategy}.log",
    wildcard_constraints:
        strategy=any_of(GIVEN),
    params:
        predictions=get_given_predictions,
        code=code_of("take_test_predictions.py"),
    script:
        "../scripts/take_test_predictions.py"
