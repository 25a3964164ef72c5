from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.classes.confusion_figure import confusion

        runs = read_records(snakemake.input.records, snakemake.params.labels, "metrics")
        confusion(runs, snakemake.input.cells, snakemake.wildcards.dataset, snakemake.output[0])
