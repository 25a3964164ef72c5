from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.classes.per_class_figure import per_class

        per_class(snakemake.input.per_class, snakemake.wildcards.dataset, snakemake.output[0])
