from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.duplicates.training_part import clusters_of
        from ftbench.data.folds import deal_folds

        given, settings = snakemake.input, snakemake.params.settings
        near = clusters_of(given.images, given.labels, settings["flip"]) if given.get("images") else None
        deal_folds(given.labels, given.groups, given.data, settings, snakemake.output[0], given.classes, near)
