from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.result import label_more_table as more
        from ftbench.report.result import training_size_table as sizes
        from ftbench.report.result.training_size_figure import draw_families

        given, out, params = snakemake.input, snakemake.output, snakemake.params
        members = [member | {"about": path} for member, path in zip(params.members, given.data)]
        sizes.training_size_table(given.comparison, given.cells, given.differences, members, params.random, out.csv)
        sizes.training_size_pages(out.csv, {name: out[name] for name in ("html", "markdown", "latex")})
        runs = read_records(given.records, params.labels, "run", test_logits=given.logits)
        more.label_more_table(runs, members, out.more_csv)
        more.label_more_pages(out.more_csv, {name: out[f"more_{name}"] for name in ("html", "markdown", "latex")})
        draw_families(out.csv, out.more_csv, members, params.axes, out.plots)
