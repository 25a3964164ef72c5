from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.probe import predict_with_head

        given, out = snakemake.input, snakemake.output
        predict_with_head(given.features, given.models, given.labels, out.logits)
        if given.flipped:
            predict_with_head(given.flipped, given.models, given.labels, out.flipped)
