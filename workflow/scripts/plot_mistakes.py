from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.collect import zip_runs
        from ftbench.plots.mistakes import mistakes

        given = snakemake.input
        mistakes(
            zip_runs(snakemake.params.labels, metrics=given.metrics, test_logits=given.logits),
            given.cells,
            given.images,
            given.classes,
            snakemake.wildcards.dataset,
            snakemake.output[0],
        )
