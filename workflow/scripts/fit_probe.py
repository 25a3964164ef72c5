from ftbench.job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.probe import fit_probe

        outputs = dict(snakemake.output.items())
        fit_probe(
            run=snakemake.params.run,
            code=snakemake.params.code,
            **dict(snakemake.input.items()),
            run_json=outputs.pop("run"),
            **outputs,
        )
