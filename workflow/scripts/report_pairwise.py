from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.plots.critical_difference import critical_difference
        from ftbench.ranks import rank_cells, ranks_table, win_tie_loss_table
        from ftbench.table_pages import pairwise_pages, win_tie_loss_pages
        from ftbench.tables import read_table

        given, out, strategies = snakemake.input, snakemake.output, snakemake.params.axes["strategies"]
        formats = ("html", "markdown", "latex")
        pairwise_pages(given.pairwise, {name: out[name] for name in formats})
        ranks_table(given.comparison, out.ranks)
        critical_difference(given.comparison, strategies, out.diagram)
        win_tie_loss_table(given.pairwise, out.matrix)
        sentence = rank_cells(read_table(given.comparison)).sentence
        win_tie_loss_pages(out.matrix, strategies, sentence, {name: out[f"matrix_{name}"] for name in formats})
