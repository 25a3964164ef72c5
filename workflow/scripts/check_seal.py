from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.seen_images import check_seal

        given = snakemake.input
        starts = [start | {"run": run} for start, run in zip(snakemake.params.starts, given.runs)]
        check_seal(starts, given.test_files, given.files, given.split, snakemake.output[0])
