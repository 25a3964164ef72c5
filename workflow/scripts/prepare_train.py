from pathlib import Path

from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.prepare import prepare_train

        settings = snakemake.params.settings
        prepare_train(
            settings,
            next((Path(record).parent for record in snakemake.input.get("downloaded", [])), settings["path"]),
            **dict(snakemake.output.items()),
            threads=snakemake.threads,
        )
