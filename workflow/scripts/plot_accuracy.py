from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.result.accuracy_figure import accuracy

        accuracy(
            snakemake.input.comparison,
            snakemake.input.runs,
            snakemake.input.differences,
            snakemake.wildcards.dataset,
            **snakemake.params.axes,
            out=snakemake.output[0],
        )
