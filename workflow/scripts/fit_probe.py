from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.train.fit_on_features import fit_on_features

        outputs = dict(snakemake.output.items())
        fit_on_features(
            run=snakemake.params.run,
            code=snakemake.params.code,
            **dict(snakemake.input.items()),
            run_json=outputs.pop("run"),
            **outputs,
        )
