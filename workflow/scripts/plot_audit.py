from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.data.audit_figure import audit

        given = snakemake.input
        audit(
            *(given.pairs, given.issues, given.summary, given.images, given.test_images),
            snakemake.wildcards.dataset,
            snakemake.output[0],
        )
