from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.result.training_size_figure import training_size
        from ftbench.report.result.training_size_table import training_size_pages, training_size_table

        given, out, params = snakemake.input, snakemake.output, snakemake.params
        members = [member | {"about": path} for member, path in zip(params.members, given.data)]
        training_size_table(given.comparison, given.cells, given.differences, members, params.random, out.csv)
        training_size_pages(out.csv, {name: out[name] for name in ("html", "markdown", "latex")})
        plots = [out.plots] if isinstance(out.plots, str) else out.plots
        for family, path in zip(dict.fromkeys(member["family"] for member in members), plots):
            training_size(out.csv, family, **params.axes, out=path)
