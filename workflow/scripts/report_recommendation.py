from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.recommend import recommendation_table
        from ftbench.table_pages import recommendation_pages

        given, out = snakemake.input, snakemake.output
        budgets, metric = snakemake.params.budgets, snakemake.params.metric
        recommendation_table(given.comparison, given.cells, given.differences, budgets, metric, out.csv)
        recommendation_pages(out.csv, {name: out[name] for name in ("html", "markdown", "latex")})
