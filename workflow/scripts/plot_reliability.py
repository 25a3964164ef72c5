from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.plots.reliability import reliability
        from ftbench.plots.risk_coverage import risk_coverage
        from ftbench.records import read_records

        runs = read_records(snakemake.input.records, snakemake.params.labels, "metrics")
        common = (snakemake.wildcards.dataset, *snakemake.params.axes.values())
        reliability(runs, *common, out=snakemake.output.reliability)
        risk_coverage(runs, *common, out=snakemake.output.risk_coverage)
