from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.report.uncertainty.calibration_table import calibration_pages

        out = snakemake.output
        calibration_pages(snakemake.input.comparison, {name: out[name] for name in ("html", "markdown", "latex")})
