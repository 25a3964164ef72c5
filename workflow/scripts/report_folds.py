from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.result.folds_table import folds_pages, folds_table

        given, out = snakemake.input, snakemake.output
        runs = read_records(given.records, snakemake.params.labels, "run", test_logits=given.logits)
        folds_table(runs, out.csv, snakemake.params.metric)
        folds_pages(out.csv, {name: out[name] for name in ("html", "markdown", "latex")})
