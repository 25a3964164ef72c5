from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.measure.audit.dataset import audit_dataset

        given, settings = dict(snakemake.input.items()), snakemake.params.settings
        files = zip(settings["backbones"], given.pop("train_features"), given.pop("test_features"), strict=True)
        features = [{"name": name, "train": train, "test": test} for name, train, test in files]
        own_splits = list(given.pop("own_splits"))
        audit_dataset(given, features, settings["mirrored"], **dict(snakemake.output.items()), own_splits=own_splits)
