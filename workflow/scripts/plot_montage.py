from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.plots.montage import montage

        given = snakemake.input
        montage(
            given.images, given.labels, given.classes, given.split, snakemake.wildcards.dataset, snakemake.output[0]
        )
