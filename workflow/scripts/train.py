from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.train.run import train
        from ftbench.train.start import input_files

        train(
            run=snakemake.params.run,
            code=snakemake.params.code,
            inputs=input_files(snakemake.input),
            recipe=snakemake.input.recipe,
            model=snakemake.output.model,
            history=snakemake.output.history,
            run_json=snakemake.output.run,
            cost=snakemake.output.cost,
            val_logits=snakemake.output.val_logits,
            resume=snakemake.params.resume,
        )
