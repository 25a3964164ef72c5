from pathlib import Path

from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.data.prepare import prepare_test

        settings = snakemake.params.settings
        prepare_test(
            settings,
            settings["path"] or (Path(snakemake.input.downloaded).parent if snakemake.input.downloaded else None),
            snakemake.input.classes,
            **dict(snakemake.output.items()),
            threads=snakemake.threads,
        )
