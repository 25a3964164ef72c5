from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.uncertainty.critical_difference_figure import critical_difference
        from ftbench.report.uncertainty.pairwise_table import pairwise_pages
        from ftbench.report.uncertainty.ranks_tables import ranks_table, win_tie_loss_pages, win_tie_loss_table

        given, out, strategies = snakemake.input, snakemake.output, snakemake.params.axes["strategies"]
        formats = ("html", "markdown", "latex")
        pairwise_pages(given.pairwise, {name: out[name] for name in formats})
        sentence = ranks_table(given.comparison, out.ranks)
        critical_difference(given.comparison, strategies, out.diagram)
        win_tie_loss_table(given.pairwise, out.matrix)
        pages = {name: out[f"matrix_{name}"] for name in formats}
        win_tie_loss_pages(out.matrix, strategies, sentence, pages)
