from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.table_formats import cost_page
        from ftbench.tables import cost_table

        cost_table(snakemake.input.runs, snakemake.params.cells, snakemake.output.csv, snakemake.params.watts)
        cost_page(snakemake.output.csv, snakemake.input.runs, snakemake.output.html)
