from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.folds.selection import pool_selection

        pool_selection(list(snakemake.input), snakemake.output[0])
