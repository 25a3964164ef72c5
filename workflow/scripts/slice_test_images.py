from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.compare.slices import write_slices

        given, out = snakemake.input, snakemake.output
        write_slices(snakemake.params.settings, given.metadata, given.files, out.slices, out.notes)
