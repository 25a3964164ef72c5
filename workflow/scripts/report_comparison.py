from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.table_formats import comparison_pages
        from ftbench.tables import comparison_table

        out = snakemake.output
        comparison_table(snakemake.input.runs, snakemake.input.cells, snakemake.params.cells, out.csv)
        comparison_pages(out.csv, out.markdown, out.latex, out.html)
