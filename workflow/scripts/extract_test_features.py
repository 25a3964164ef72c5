from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.model.features import extract_features
        from ftbench.predict.mirrored import extract_flipped_features

        run, given, out = snakemake.params.run, snakemake.input, snakemake.output
        extract_features(run, given.images, given.weights, given.record, out.features, out.cost, data=given.data)
        if out.get("flipped"):  # where the data set's images may be mirrored
            extract_flipped_features(run, given.images, given.weights, given.record, out.flipped)
