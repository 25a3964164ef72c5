from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.protocol.protocol_page import protocol_page
        from ftbench.report.provenance.runs_page import provenance_page

        runs = read_records(snakemake.input.records, snakemake.params.labels, "run")
        provenance_page(runs, snakemake.input.study, snakemake.output.runs)
        protocol_page(snakemake.input.study, snakemake.output.protocol)
