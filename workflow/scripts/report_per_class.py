from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.collect import zip_runs
        from ftbench.tables import per_class_table

        runs = zip_runs(snakemake.params.labels, metrics=snakemake.input.metrics)
        per_class_table(runs, snakemake.params.cells, snakemake.output[0])
