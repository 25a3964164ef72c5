from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.base.files import write_json

        write_json(snakemake.output[0], snakemake.params.study)
