from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluation import evaluate

        given = snakemake.input
        for *files, metrics in zip(given.logits, given.val_logits, given.runs, snakemake.output):
            evaluate(*files, given.classes, metrics)
