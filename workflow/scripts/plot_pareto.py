from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.cost.pareto_figure import pareto

        pareto(
            snakemake.input.comparison,
            snakemake.wildcards.dataset,
            **snakemake.params.axes,
            out=snakemake.output[0],
        )
