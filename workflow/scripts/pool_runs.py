from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.folds.runs import pool_run

        labels = {name: snakemake.wildcards[name] for name in ("dataset", "backbone", "strategy")}
        pool_run(dict(snakemake.input.items()), labels, snakemake.params.code, **dict(snakemake.output.items()))
