from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.own_split import split_for_seed

        given = snakemake.input
        split_for_seed(given.split, given.classes, snakemake.params.settings, snakemake.output[0])
