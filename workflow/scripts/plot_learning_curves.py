from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.protocol.learning_curves_figure import learning_curves

        runs = read_records(snakemake.input.records, snakemake.params.labels, "run", history=snakemake.input.histories)
        learning_curves(runs, snakemake.wildcards.dataset, **snakemake.params.axes, out=snakemake.output[0])
