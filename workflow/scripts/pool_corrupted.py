from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.folds.logits import pool_corrupted

        pool_corrupted(list(snakemake.input.logits), snakemake.input.split, snakemake.output[0])
