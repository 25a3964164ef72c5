from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.compare import compare
        from ftbench.evaluate.records import read_records

        runs = read_records(snakemake.input.records, snakemake.params.labels, "run", test_logits=snakemake.input.logits)
        out = snakemake.output
        compare(runs, snakemake.params.metric, out.cells, out.pairwise, out.differences, out.classes)
