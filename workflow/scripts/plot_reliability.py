from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.collect import zip_runs
        from ftbench.plots.reliability import reliability
        from ftbench.plots.risk_coverage import risk_coverage

        runs = zip_runs(snakemake.params.labels, metrics=snakemake.input.metrics)
        common = (snakemake.wildcards.dataset, *snakemake.params.axes.values())
        reliability(runs, *common, out=snakemake.output.reliability)
        risk_coverage(runs, *common, out=snakemake.output.risk_coverage)
