from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.predict.test_set import predict_test

        predict_test(
            run=snakemake.params.run,
            images=snakemake.input.images,
            labels=snakemake.input.labels,
            classes=snakemake.input.classes,
            runs=snakemake.input.runs,
            models=snakemake.input.models,
            out=snakemake.output.logits,
            flipped=snakemake.output.get("flipped"),
            data=snakemake.input.data,
        )
