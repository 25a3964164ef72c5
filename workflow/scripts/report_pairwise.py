from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.layout.frames import read_table
        from ftbench.report.uncertainty import ranks_tables
        from ftbench.report.uncertainty.critical_difference_figure import critical_difference
        from ftbench.report.uncertainty.pairwise_table import pairwise_pages

        given, out, strategies = snakemake.input, snakemake.output, snakemake.params.axes["strategies"]
        formats = ("html", "markdown", "latex")
        pairwise_pages(given.pairwise, {name: out[name] for name in formats})
        ranks_tables.ranks_table(given.comparison, out.ranks)
        critical_difference(given.comparison, strategies, out.diagram)
        ranks_tables.win_tie_loss_table(given.pairwise, out.matrix)
        sentence = ranks_tables.rank_cells(read_table(given.comparison)).sentence
        ranks_tables.win_tie_loss_pages(
            out.matrix, strategies, sentence, {name: out[f"matrix_{name}"] for name in formats}
        )
