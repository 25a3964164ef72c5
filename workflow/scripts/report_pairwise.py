from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.uncertainty import ranks_tables
        from ftbench.report.uncertainty.critical_difference_figure import critical_difference
        from ftbench.report.uncertainty.pairwise_table import pairwise_pages

        given, out, strategies = snakemake.input, snakemake.output, snakemake.params.axes["strategies"]
        formats = ("html", "markdown", "latex")
        pairwise_pages(given.pairwise, {name: out[name] for name in formats})
        test_sets = ranks_tables.digests_of(dict(zip(snakemake.params.datasets, given.test)))
        sentence = ranks_tables.ranks_table(given.comparison, out.ranks, test_sets)
        critical_difference(given.comparison, strategies, out.diagram, test_sets)
        ranks_tables.win_tie_loss_table(given.pairwise, out.matrix)
        pages = {name: out[f"matrix_{name}"] for name in formats}
        ranks_tables.win_tie_loss_pages(out.matrix, strategies, sentence, pages)
