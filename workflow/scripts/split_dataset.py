from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.duplicates.training_part import clusters_of, ranked
        from ftbench.data.split import split_dataset

        given, settings = snakemake.input, snakemake.params.settings
        near = clusters_of(given.images, given.labels, settings["flip"]) if given.get("images") else None
        suspects = ranked(given.suspects) if given.get("suspects") else None
        split_dataset(
            *(given.labels, given.groups, given.data, settings, snakemake.output[0]),
            classes=given.classes,
            near=near,
            suspects=suspects,
        )
