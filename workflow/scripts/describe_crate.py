from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.provenance.crate import describe_crate

        describe_crate(
            environment=snakemake.input.environment,
            files=[str(file) for file in snakemake.input],
            licence=snakemake.params.licence,
            out=snakemake.output[0],
        )
