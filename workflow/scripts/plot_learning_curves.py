from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.plots.learning_curves import learning_curves
        from ftbench.records import read_records

        runs = read_records(snakemake.input.records, snakemake.params.labels, "run", history=snakemake.input.histories)
        learning_curves(runs, snakemake.wildcards.dataset, **snakemake.params.axes, out=snakemake.output[0])
