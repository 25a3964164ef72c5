from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.data.montage_figure import montage

        given = snakemake.input
        montage(
            given.images, given.labels, given.classes, given.split, snakemake.wildcards.dataset, snakemake.output[0]
        )
