from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.result.comparison_table import comparison_pages, comparison_table

        given, out = snakemake.input, snakemake.output
        comparison_table(given.runs, given.cells, given.differences, snakemake.params.cells, out.csv)
        comparison_pages(out.csv, given.differences, {name: out[name] for name in ("html", "markdown", "latex")})
