from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.recommendation.recommendation_table import recommendation_pages, recommendation_table

        given, out = snakemake.input, snakemake.output
        budgets, metric = snakemake.params.budgets, snakemake.params.metric
        recommendation_table(given.comparison, given.cells, given.differences, budgets, metric, out.csv)
        recommendation_pages(out.csv, {name: out[name] for name in ("html", "markdown", "latex")})
