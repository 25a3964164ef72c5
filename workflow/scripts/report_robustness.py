from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.collect import zip_runs
        from ftbench.robustness import corruption_tables, robustness_page

        given, out, params = snakemake.input, snakemake.output, snakemake.params
        runs = zip_runs(params.labels, run=given.runs, test_logits=given.logits, corrupted_logits=given.corrupted)
        corruption_tables(runs, params.cells, out.detail, out.csv)
        robustness_page(out.csv, out.html)
