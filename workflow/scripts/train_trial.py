from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.training import input_files, train_trial

        train_trial(
            run={key: value for key, value in snakemake.params.run.items() if key != "learning_rate"},
            code=snakemake.params.code,
            inputs=input_files(snakemake.input),
            trial=int(snakemake.wildcards.trial),
            learning_rate=snakemake.params.run["learning_rate"],
            out=snakemake.output.trial,
            history=snakemake.output.history,
            cost=snakemake.output.cost,
            resume=snakemake.params.resume,
        )
