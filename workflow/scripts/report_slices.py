from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.classes.slices_table import slice_pages, slice_tables

        given, out, datasets = snakemake.input, snakemake.output, snakemake.params.datasets
        runs = read_records(given.records, snakemake.params.labels, "run", test_logits=given.logits)
        places = zip(datasets, given.slices, given.notes, given.groups, given.duplicates, strict=True)
        notes = slice_tables(runs, given.cells, list(places), out.csv, out.gaps)
        forms = ("html", "markdown", "latex")
        slice_pages(
            out.csv, out.gaps, notes, *({form: out[f"{kind}{form}"] for form in forms} for kind in ("", "gaps_"))
        )
