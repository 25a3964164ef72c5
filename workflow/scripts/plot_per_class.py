from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.plots.per_class import per_class

        per_class(snakemake.input.per_class, snakemake.wildcards.dataset, snakemake.output[0])
