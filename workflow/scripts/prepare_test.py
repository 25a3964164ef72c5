from pathlib import Path

from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.prepare import prepare_test

        settings = snakemake.params.settings
        prepare_test(
            settings,
            next((Path(record).parent for record in snakemake.input.get("downloaded", [])), settings["path"]),
            snakemake.input.classes,
            **dict(snakemake.output.items()),
            threads=snakemake.threads,
            train=snakemake.input.train,
        )
