from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.cells import zip_runs
        from ftbench.evaluate.records import read_records
        from ftbench.report.uncertainty.stability_table import stability_pages, stability_table

        given, params, out = snakemake.input, snakemake.params, snakemake.output
        runs = read_records(given.records, params.labels, "run")
        selected = zip_runs(params.cells, selected=given.selected)
        stability_table(runs, selected, given.cells, params.metric, out.csv)
        stability_pages(out.csv, {name: out[name] for name in ("html", "markdown", "latex")})
