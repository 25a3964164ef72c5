from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.measure.transferability import score_transferability

        given = snakemake.input
        score_transferability(given.features, given.labels, given.split, given.classes, snakemake.output[0])
