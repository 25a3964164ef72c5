from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.collect import zip_runs
        from ftbench.plots.confusion import confusion

        runs = zip_runs(snakemake.params.labels, metrics=snakemake.input.metrics)
        confusion(runs, snakemake.input.cells, snakemake.wildcards.dataset, snakemake.output[0])
