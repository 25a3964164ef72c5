from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.recommendation.recommendation_table import recommendation_pages, recommendation_table

        given, out = snakemake.input, snakemake.output
        settings = (snakemake.params[name] for name in ("budgets", "metric", "margin"))
        recommendation_table(given.comparison, given.cells, given.differences, given.runs, *settings, out.csv)
        recommendation_pages(out.csv, {name: out[name] for name in ("html", "markdown", "latex")})
