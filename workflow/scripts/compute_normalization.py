from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.normalization import compute_normalization

        compute_normalization(snakemake.input.images, snakemake.input.split, snakemake.output[0])
