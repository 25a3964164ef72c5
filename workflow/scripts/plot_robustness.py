from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.result.robustness_figure import robustness

        dataset = snakemake.wildcards.dataset
        robustness(snakemake.input[0], dataset, **snakemake.params.axes, out=snakemake.output[0])
