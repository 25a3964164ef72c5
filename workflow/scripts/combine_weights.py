from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.train.combined.weights import combine_weights

        names, files = ("model", "history", "run", "cost", "val_logits"), snakemake.output
        combine_weights(
            run=snakemake.params.run,
            code=snakemake.params.code,
            inputs=dict(snakemake.input.items()),
            selected=files.selected,
            outputs=[dict(zip(names, paths)) for paths in zip(*(files[name] for name in names))],
        )
