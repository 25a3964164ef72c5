from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.result.robustness_tables import corruption_pages, corruption_tables, robustness_pages

        given, out, params = snakemake.input, snakemake.output, snakemake.params
        runs = read_records(
            given.records, params.labels, "run", test_logits=given.logits, corrupted_logits=given.corrupted
        )
        corruption_tables(runs, params.cells, out.detail, out.csv)
        forms = ("html", "markdown", "latex")
        robustness_pages(out.csv, {name: out[name] for name in forms}, params.together, params.given)
        corruption_pages(out.detail, {name: out[f"detail_{name}"] for name in forms})
