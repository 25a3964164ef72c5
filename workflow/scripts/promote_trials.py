from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.train.selection import promote_trials

        promote_trials(**snakemake.params.settings, trials=snakemake.input.trials, out=snakemake.output[0])
