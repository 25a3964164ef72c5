from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.compare.comparison import compare
        from ftbench.evaluate.records import read_records

        runs = read_records(snakemake.input.records, snakemake.params.labels, "run", test_logits=snakemake.input.logits)
        groups = zip(snakemake.params.datasets, snakemake.input.groups, snakemake.input.duplicates)
        seals = zip(snakemake.params.sealed, snakemake.input.seals)
        out = (snakemake.output[name] for name in ("cells", "pairwise", "differences", "classes"))
        compare(runs, snakemake.params.metric, *out, groups, snakemake.params.margin, seals)
