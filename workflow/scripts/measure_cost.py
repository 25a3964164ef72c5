from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.measure.efficiency import measure_cost

        given = snakemake.input
        measure_cost(
            **snakemake.params.settings,
            images=given.images,
            labels=given.labels,
            split=given.split,
            classes=given.classes,
            out=snakemake.output[0],
        )
