# Which files a job reads, and whose runs they are: input functions for the rules, around ftbench.study.inputs.


def get_suspects(wildcards):
    return (
        "<results>/data/{dataset}/label_ranks.csv" if STUDY["datasets"][wildcards.dataset]["drop_label_issues"] else []
    )


def judges_weights(suffix):
    """An input function: the weights of the backbone that judges the labels of the wildcards' data set."""

    def get(wildcards):
        return inputs.weights_file(STUDY, inputs.judges(STUDY, cells_on(wildcards))[0], suffix)

    return get


def get_images_to_compare(wildcards):
    """The training images, if near duplicates among them matter to their split."""
    entry = STUDY["datasets"][wildcards.dataset]
    return "<results>/data/{dataset}/images.npy" if entry["group_duplicates"] or entry["drop_duplicates"] else []


def get_images_to_group(wildcards):
    """All images, if near duplicates among them stay in one fold."""
    entry = STUDY["datasets"][wildcards.dataset]
    return "<results>/data/{dataset}/images.npy" if entry["group_duplicates"] or entry["drop_duplicates"] else []


def get_downloaded(wildcards):
    return inputs.downloads(STUDY, [wildcards.dataset])


def weights_file(suffix):
    """An input function: the weights of the wildcards' backbone, or nothing if the cell starts from random ones."""

    def get(wildcards):
        return [] if starts_random(wildcards) else inputs.weights_file(STUDY, wildcards.backbone, suffix)

    return get


def weights_origin(name):
    """An input function: the user's own file that weights are copied from, or file `name` of the run that left them."""

    def get(wildcards):
        return inputs.weights_origin(STUDY, get_weights_entry(wildcards)["weights"], name)

    return get


def get_files_of_starts(wildcards):
    """Of each run that a backbone starts from on the wildcards' data set: its record, and the images and the split of its data set."""
    return run_weights.files_of_starts(STUDY, cells_on(wildcards))


def get_starts(wildcards):
    return run_weights.runs_started_from(STUDY, cells_on(wildcards))


def get_normalization(wildcards):
    return NORMALIZATION if starts_random(wildcards) else []


@planned
def get_start(wildcards):
    """What a trial or run starts from, each file or nothing: one function, since every input function costs planning time."""
    return inputs.start_files(STUDY, wildcards, trial_of(wildcards))


def get_trials(wildcards):
    """Every trial of the wildcards' cell, or those below the wildcards' rung."""
    below = int(wildcards.rung) if "rung" in wildcards.keys() else None
    return inputs.trial_files(TRIALS[wildcards.strategy].values(), below)


# One file per seed of a cell, with the cell's wildcards left open; the seeds are SEEDS, SEED_0 or FITTED_SEEDS.
seed_files = inputs.seed_files


def flipped_files(seeds):
    """An input function: the logits of a cell's mirrored test images, or nothing if they must not be or were not mirrored."""

    def get(wildcards):
        mirrored = STUDY["datasets"][wildcards.dataset]["flip"] and wildcards.strategy not in GIVEN
        return seed_files("test_logits_flipped.npz", seeds) if mirrored else []

    return get


def corrupted_seed_files(name, seeds):
    """One file per seed of a cell that sees corrupted images, with the cell's wildcards left open."""
    return seed_files(name, seeds[: STUDY["corruptions"]["seeds"]])


def members(*names):
    """An input function: {name: files} of every run that the wildcards' cell is made of, and what else it starts from."""

    def get(wildcards):
        return inputs.member_files(STUDY, wildcards, *names)

    return get


def member_files(name):
    """An input function: one file of every run that the wildcards' cell is made of."""

    def get(wildcards):
        return inputs.member_files(STUDY, wildcards, name)[name.partition(".")[0]]

    return get


def of_folds(pattern):
    """An input function: one file per fold of the wildcards' data set."""

    def get(wildcards):
        return inputs.fold_files(STUDY, wildcards.dataset, pattern)

    return get


def of_whole(name):
    """An input function: a file of the data set that the wildcards' fold is one of."""

    def get(wildcards):
        return f"<results>/data/{STUDY['datasets'][wildcards.dataset]['fold_of']}/{name}"

    return get


def get_corrupted_labels(wildcards):
    return inputs.corrupted_runs(STUDY, CELLS)


def corrupted_run_files(name):
    """An input function: one file per run that sees corrupted images."""

    def get(wildcards):
        return inputs.run_files(name, get_corrupted_labels(wildcards))

    return get


def audit_features(name):
    """An input function: features of the wildcards' data set, of every backbone that its audit judges by."""

    def get(wildcards):
        return inputs.feature_files(STUDY, cells_on(wildcards), name)

    return get


def get_audit_settings(wildcards):
    return settings.audit(STUDY, wildcards.dataset, inputs.judges(STUDY, cells_on(wildcards)))


def run_files(name):
    """An input function: one file per run, of the wildcards' data set if there is one."""

    def get(wildcards):
        return inputs.run_files(name, get_run_labels(wildcards))

    return get


def get_models(wildcards):
    """The model of every run that has one of its own."""
    return inputs.run_files("model.safetensors", inputs.networks(STUDY, CELLS))


def get_run_labels(wildcards):
    return inputs.runs(STUDY, cells_on(wildcards))


def get_cell_labels(wildcards):
    return labelled(cells_on(wildcards))


def get_selections(wildcards):
    """Labels of the files that `get_selected` lists."""
    return inputs.selections(STUDY, cells_on(wildcards))


def get_selected(wildcards):
    return inputs.selected(get_selections(wildcards))


def get_policies(wildcards):
    """The augmentation policies to picture for a data set: all of them, those that mirror only if it may be mirrored."""
    names = kinds.names("policies")
    return list(dict.fromkeys(settings.augmentation(STUDY, wildcards.dataset, name) for name in names))
