from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.result.activations_figure import silence
        from ftbench.report.result.activations_table import activation_table

        given, out, params = snakemake.input, snakemake.output, snakemake.params
        cells = [label | {"activity": path} for label, path in zip(params.labels, given.activity)]
        pages = {name: out[name] for name in ("html", "markdown", "latex")}
        activation_table(cells, given.comparison, out.csv, pages)
        plots = [out.plots] if isinstance(out.plots, str) else out.plots
        for dataset, path in zip(params.datasets, plots):
            silence(cells, dataset, **params.axes, out=path)
