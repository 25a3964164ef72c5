from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.run_scores import evaluate

        given = snakemake.input
        flipped = given.flipped or [None] * len(given.logits)  # where images may not be mirrored
        for *files, flip, out in zip(given.logits, given.val_logits, given.runs, flipped, snakemake.output):
            evaluate(*files, given.classes, out, flip)
