from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.table_formats import pairwise_page

        pairwise_page(snakemake.input[0], snakemake.output[0])
