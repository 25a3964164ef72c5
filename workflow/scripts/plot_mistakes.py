from ftbench_job import job

if __name__ == "__main__":
    with job(snakemake):
        import numpy as np

        from ftbench.evaluate.records import read_records
        from ftbench.report.classes.mistakes_figure import mistakes
        from ftbench.report.classes.mistakes_list import find_mistakes, write_mistakes

        given, out, dataset = snakemake.input, snakemake.output, snakemake.wildcards.dataset
        runs = read_records(given.records, snakemake.params.labels, "metrics", test_logits=given.logits)
        images = np.load(given.images, mmap_mode="r")
        found = find_mistakes(runs, given.cells, images, dataset)
        mistakes(found, images, given.classes, dataset, out.figure)
        write_mistakes(found, images, given.classes, given.files, out.shown)
