from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.measure.silent_units import measure_activations

        names = ("images", "split", "classes", "weights", "record", "normalization")
        given = {name: snakemake.input.get(name) or None for name in names}
        measure_activations(
            snakemake.params.run, given, snakemake.input.runs, snakemake.input.models, snakemake.output[0]
        )
