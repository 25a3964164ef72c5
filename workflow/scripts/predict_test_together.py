from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.predict.together import predict_together

        predict_together(
            kind=snakemake.params.kind,
            runs=snakemake.input.runs,
            logits=snakemake.input.logits,
            out=snakemake.output.logits,
            flipped=snakemake.input.flipped or None,
            flipped_out=snakemake.output.get("flipped"),
        )
