from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.summary.page import summary_page

        summary_page(snakemake.params.folder, snakemake.params.datasets, snakemake.output[0])
