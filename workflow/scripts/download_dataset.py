from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.download_dataset import download_dataset

        download_dataset(snakemake.params.settings, snakemake.params.folder, snakemake.output[0])
