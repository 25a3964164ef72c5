from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.files import read_json
        from ftbench.split import split_dataset

        settings = snakemake.params.settings | {"classes": read_json(snakemake.input.classes)}
        split_dataset(snakemake.input.labels, snakemake.input.groups, settings, snakemake.output[0])
