from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.collect import zip_runs
        from ftbench.plots.learning_curves import learning_curves

        runs = zip_runs(snakemake.params.labels, run=snakemake.input.runs, history=snakemake.input.histories)
        learning_curves(runs, snakemake.wildcards.dataset, **snakemake.params.axes, out=snakemake.output[0])
