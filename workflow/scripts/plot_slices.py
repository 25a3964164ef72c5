from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.classes.slices_figure import slices

        slices(snakemake.input.slices, snakemake.input.gaps, snakemake.wildcards.dataset, snakemake.output[0])
