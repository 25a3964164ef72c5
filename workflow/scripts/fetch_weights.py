from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.model.weights import fetch_weights

        given, made = snakemake.input, snakemake.output
        run = {"model": given.file, "record": given.run} if given.run else None
        fetch_weights(snakemake.params.entry, made.weights, made.record, run)
