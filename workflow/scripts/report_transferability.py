from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.recommendation.transferability_table import transferability_pages, transferability_table

        given, out, params = snakemake.input, snakemake.output, snakemake.params
        scored = [{"labels": labels, "scores": path} for labels, path in zip(params.places, given.scores, strict=True)]
        transferability_table(
            scored, given.comparison, given.cells, params.cells, params.metric, out.csv, out.correlations
        )
        pages = {name: out[name] for name in ("html", "markdown", "latex")}
        transferability_pages(out.csv, out.correlations, params.metric, pages)
