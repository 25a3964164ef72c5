from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.weights import fetch_weights

        fetch_weights(snakemake.params.entry, snakemake.output.weights, snakemake.output.record)
