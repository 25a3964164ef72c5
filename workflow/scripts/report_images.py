from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.data.images_tables import images_pages, images_tables

        given, out = snakemake.input, snakemake.output
        datasets = [
            {"dataset": name, "train": train, "test": test, "groups": groups, "split": split}
            for name, train, test, groups, split in zip(
                snakemake.params.datasets, given.train, given.test, given.groups, given.split, strict=True
            )
        ]
        images_tables(datasets, out.classes, out.facts)
        forms = ("html", "markdown", "latex")
        images_pages(
            out.classes,
            out.facts,
            *({form: out[f"{table}_{form}"] for form in forms} for table in ("classes", "facts")),
        )
