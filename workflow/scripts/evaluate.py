from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluation import evaluate

        for logits, run, metrics in zip(snakemake.input.logits, snakemake.input.runs, snakemake.output):
            evaluate(logits, run, snakemake.input.classes, metrics)
