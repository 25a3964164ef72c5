from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.selection import select_recipe

        select_recipe(snakemake.params.run, snakemake.input.trials, snakemake.input.costs, snakemake.output[0])
