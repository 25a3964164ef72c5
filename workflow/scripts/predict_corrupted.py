from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.predict.corrupted import predict_corrupted

        given, params = snakemake.input, snakemake.params
        predict_corrupted(
            **params.settings,
            images=given.images,
            labels=given.labels,
            classes=given.classes,
            runs=given.runs,
            models=given.models,
            weights=given.weights or None,
            record=given.record or None,
            out=snakemake.output,
        )
