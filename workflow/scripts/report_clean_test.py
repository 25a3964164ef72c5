from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.uncertainty.clean_test_table import clean_test_pages, clean_test_table

        given, out, lists = snakemake.input, snakemake.output, snakemake.params.lists
        audits = [
            {"dataset": name, "marks": marks, "files": files, "exclude": entry["path"], "root": entry["root"]}
            for (name, entry), marks, files in zip(lists.items(), given.marks, given.files, strict=True)
        ]
        runs = read_records(given.records, snakemake.params.labels, "run", test_logits=given.logits)
        clean_test_table(runs, audits, snakemake.params.cells, out.csv, zip(lists, given.groups, given.duplicates))
        clean_test_pages(out.csv, list(lists), {name: out[name] for name in ("html", "markdown", "latex")})
