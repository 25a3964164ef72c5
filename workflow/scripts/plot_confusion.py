from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.plots.confusion import confusion
        from ftbench.records import read_records

        runs = read_records(snakemake.input.records, snakemake.params.labels, "metrics")
        confusion(runs, snakemake.input.cells, snakemake.wildcards.dataset, snakemake.output[0])
