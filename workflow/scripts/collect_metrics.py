from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.collect import collect, zip_runs

        given = snakemake.input
        runs = zip_runs(
            snakemake.params.labels,
            run=given.runs,
            cost=given.costs,
            metrics=given.metrics,
            selected=given.selected,
            efficiency=given.efficiency,
        )
        collect(runs, snakemake.params.probes, snakemake.output[0])
