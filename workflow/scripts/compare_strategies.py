from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.collect import zip_runs
        from ftbench.compare import compare

        runs = zip_runs(snakemake.params.labels, run=snakemake.input.runs, test_logits=snakemake.input.logits)
        out = snakemake.output
        compare(runs, snakemake.params.metric, out.cells, out.pairwise, out.differences, out.classes)
