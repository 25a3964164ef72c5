from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.split import split_dataset

        split_dataset(
            snakemake.input.labels,
            snakemake.input.groups,
            snakemake.input.data,
            snakemake.params.settings,
            snakemake.output[0],
            classes=snakemake.input.classes,
        )
