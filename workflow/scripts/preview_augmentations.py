from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.measure.policy_preview import preview_augmentations

        preview_augmentations(
            snakemake.input.images,
            snakemake.input.labels,
            snakemake.input.split,
            snakemake.params.policies,
            snakemake.output[0],
        )
