from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.fitting import predict_from_features

        given = snakemake.input
        predict_from_features(snakemake.params.kind, given.features, given.models, given.labels, snakemake.output)
