from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.predict.given import take_test_predictions

        take_test_predictions(
            predictions=snakemake.params.predictions, out=snakemake.output[0], **dict(snakemake.input.items())
        )
