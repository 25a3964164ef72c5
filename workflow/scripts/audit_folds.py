from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.measure.audit.folds import audit_folds

        given, settings = dict(snakemake.input.items()), snakemake.params.settings
        files = zip(settings["backbones"], given.pop("features"), strict=True)
        features = [{"name": name, "train": train} for name, train in files]
        audit_folds(given, features, settings["mirrored"], **dict(snakemake.output.items()))
