from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.classes.per_class_tables import class_pages, per_class_table

        given, out = snakemake.input, snakemake.output
        runs = read_records(given.records, snakemake.params.labels, "metrics")
        per_class_table(runs, given.classes, snakemake.params.cells, out.csv, out.confused)
        forms = ("html", "markdown", "latex")
        class_pages(
            out.csv,
            out.confused,
            {name: out[name] for name in forms},
            {name: out[f"confused_{name}"] for name in forms},
        )
