from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.transferability_table import transferability_page, transferability_table

        given, out, params = snakemake.input, snakemake.output, snakemake.params
        scored = [{"labels": labels, "scores": path} for labels, path in zip(params.places, given.scores, strict=True)]
        transferability_table(
            scored, given.comparison, given.cells, params.cells, params.metric, out.csv, out.correlations
        )
        transferability_page(out.csv, out.correlations, params.metric, out.html)
