from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluation import evaluate

        given = snakemake.input
        flipped = given.flipped or [None] * len(given.logits)  # where images may not be mirrored
        for logits, run, flip, metrics in zip(given.logits, given.runs, flipped, snakemake.output):
            evaluate(logits, run, given.classes, metrics, flip)
