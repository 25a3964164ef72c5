from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.probe import predict_with_head

        predict_with_head(snakemake.input.features, snakemake.input.models, snakemake.input.labels, snakemake.output)
