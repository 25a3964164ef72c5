from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.uncertainty.reliability_figure import reliability
        from ftbench.report.uncertainty.risk_coverage_figure import risk_coverage

        runs = read_records(snakemake.input.records, snakemake.params.labels, "metrics")
        common = (snakemake.wildcards.dataset, *snakemake.params.axes.values())
        reliability(runs, *common, out=snakemake.output.reliability)
        risk_coverage(runs, *common, out=snakemake.output.risk_coverage)
