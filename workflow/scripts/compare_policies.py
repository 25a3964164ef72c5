from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.result.policies_figure import policies
        from ftbench.report.result.policies_table import policies_table

        given, out, params = snakemake.input, snakemake.output, snakemake.params
        pages = {name: out[name] for name in ("html", "markdown", "latex")}
        policies_table(given.comparison, given.pairwise, params.families, out.csv, pages)
        plots = [out.plots] if isinstance(out.plots, str) else out.plots
        for dataset, path in zip(params.datasets, plots):
            policies(out.csv, dataset, **params.axes, out=path)
