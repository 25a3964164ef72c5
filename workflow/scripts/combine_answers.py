from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.train.combined.answers import combine_answers

        outputs = dict(snakemake.output.items())
        combine_answers(
            run=snakemake.params.run,
            code=snakemake.params.code,
            inputs=dict(snakemake.input.items()),
            run_json=outputs.pop("run"),
            **outputs,
        )
