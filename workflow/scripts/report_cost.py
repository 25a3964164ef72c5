from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.cost.cost_table import cost_pages, cost_table

        out = snakemake.output
        cost_table(snakemake.input.runs, snakemake.params.cells, out.csv, snakemake.params.watts)
        cost_pages(out.csv, snakemake.input.runs, {name: out[name] for name in ("html", "markdown", "latex")})
