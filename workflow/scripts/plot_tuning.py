from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.collect import zip_runs
        from ftbench.plots.tuning import tuning

        selected = zip_runs(snakemake.params.labels, selected=snakemake.input.selected)
        tuning(selected, snakemake.wildcards.dataset, **snakemake.params.axes, out=snakemake.output[0])
