from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.evaluate.records import read_records
        from ftbench.report.provenance.environment import record_environment

        given, names = snakemake.input, snakemake.params.datasets
        record_environment(
            study=given.study,
            runs=[entry["run"] for entry in read_records(given.records, snakemake.params.labels, "run")],
            datasets=[dict(zip(("dataset", "train", "test"), entry)) for entry in zip(names, given.train, given.test)],
            downloads=given.downloads,
            weights=given.weights,
            folder=snakemake.params.folder,
            out=snakemake.output[0],
        )
