from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.model.features import extract_features

        extract_features(
            run=snakemake.params.run,
            images=snakemake.input.images,
            weights=snakemake.input.weights,
            record=snakemake.input.record,
            out=snakemake.output.features,
            cost=snakemake.output.cost,
            split=snakemake.input.split,
        )
