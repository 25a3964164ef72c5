from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.train.run import train_trial
        from ftbench.train.start import input_files

        inputs = input_files(snakemake.input)
        train_trial(
            run={key: value for key, value in snakemake.params.run.items() if key != "trial"},
            code=snakemake.params.code,
            trial=snakemake.params.run["trial"],
            promoted=inputs.pop("promoted"),
            inputs=inputs,
            out=snakemake.output[0],
            resume=snakemake.params.resume,
        )
