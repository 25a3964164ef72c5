from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.measure.audit.rank import rank_labels

        rank_labels(run=snakemake.params.run, out=snakemake.output[0], **dict(snakemake.input.items()))
