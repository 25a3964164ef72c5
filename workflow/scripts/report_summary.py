from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.summary.page import summary_page

        params = snakemake.params
        summary_page(params.folder, params.datasets, params.limits, snakemake.output[0], params.sliced)
