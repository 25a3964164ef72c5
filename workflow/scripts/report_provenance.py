from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.collect import zip_runs
        from ftbench.provenance import protocol_page, provenance_page

        runs = zip_runs(snakemake.params.labels, run=snakemake.input.runs)
        provenance_page(runs, snakemake.input.study, snakemake.output.runs)
        protocol_page(snakemake.input.study, snakemake.output.protocol)
