from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.train.cache_views import cache_views

        cache_views(
            run=snakemake.params.run,
            **{name: snakemake.input[name] for name in ("images", "split", "weights", "record")},
            **{name: snakemake.output[name] for name in ("views", "plain", "cost")},
            limit_gb=snakemake.resources.largest_mb / 1000,
        )
