from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.folds import write_part_of_fold

        number, part = snakemake.params.number, snakemake.params.part
        write_part_of_fold(dict(snakemake.input.items()), number, part, dict(snakemake.output.items()))
