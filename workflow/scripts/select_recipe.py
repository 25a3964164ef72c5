from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.train.selection import select_recipe

        select_recipe(
            run=snakemake.params.run,
            trials=snakemake.input.trials,
            out=snakemake.output.selected,
            recipe=snakemake.output.recipe,
        )
