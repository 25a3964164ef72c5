from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.classes.mistakes_figure import mistakes

        given = snakemake.input
        mistakes(
            read_records(given.records, snakemake.params.labels, "metrics", test_logits=given.logits),
            given.cells,
            given.images,
            given.classes,
            snakemake.wildcards.dataset,
            snakemake.output[0],
        )
