from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.protocol.augmentations_figure import augmentations

        augmentations(snakemake.input[0], snakemake.wildcards.dataset, snakemake.output[0])
