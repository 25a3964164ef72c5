from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.result.activations_figure import activations
        from ftbench.report.result.activations_table import activations_table

        given, out, params = snakemake.input, snakemake.output, snakemake.params
        cells = [label | {"counts": path} for label, path in zip(params.labels, given.activity, strict=True)]
        pages = {name: out[name] for name in ("html", "markdown", "latex")}
        activations_table(cells, given.comparison, out.csv, pages)
        plots = [out.plots] if isinstance(out.plots, str) else out.plots
        for dataset, path in zip(params.datasets, plots):
            activations(cells, dataset, **params.axes, out=path)
