from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.predict.from_features import predict_from_features

        given, out, kind = snakemake.input, snakemake.output, snakemake.params.kind
        predict_from_features(kind, given.features, given.models, given.labels, out.logits, given.cost)
        if given.flipped:
            predict_from_features(kind, given.flipped, given.models, given.labels, out.flipped)
