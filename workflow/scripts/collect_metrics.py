from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.cells import add_shared, zip_runs
        from ftbench.evaluate.collect import collect
        from ftbench.evaluate.records import write_records

        given, params, out = snakemake.input, snakemake.params, snakemake.output
        runs = zip_runs(params.labels, run=given.runs, cost=given.costs, metrics=given.metrics)
        add_shared(runs, params.cells, selected=given.selected)
        add_shared(runs, params.places, efficiency=given.efficiency)
        collect(runs, params.probes, out.runs)
        write_records(runs, out.records)
