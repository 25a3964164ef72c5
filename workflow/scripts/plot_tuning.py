from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.cells import zip_runs
        from ftbench.report.protocol.tuning_figure import tuning

        selected = zip_runs(snakemake.params.labels, selected=snakemake.input.selected)
        tuning(selected, snakemake.wildcards.dataset, **snakemake.params.axes, out=snakemake.output[0])
