from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.provenance import protocol_page, provenance_page
        from ftbench.records import read_records

        runs = read_records(snakemake.input.records, snakemake.params.labels, "run")
        provenance_page(runs, snakemake.input.study, snakemake.output.runs)
        protocol_page(snakemake.input.study, snakemake.output.protocol)
