from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.train.given.validation import take_predictions

        outputs = dict(snakemake.output.items())
        take_predictions(
            run=snakemake.params.run,
            code=snakemake.params.code,
            run_json=outputs.pop("run"),
            **dict(snakemake.input.items()),
            **outputs,
        )
