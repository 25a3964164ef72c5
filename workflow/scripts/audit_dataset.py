from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        from ftbench.measure.audit import audit_dataset

        given, names = dict(snakemake.input.items()), snakemake.params.probes
        logits = zip(names, given.pop("val_logits"), given.pop("test_logits"), strict=True)
        probes = [{"name": name, "val_logits": validation, "test_logits": test} for name, validation, test in logits]
        audit_dataset(**given, probes=probes, **dict(snakemake.output.items()))
