"""Audit a study's data before anything trains: duplicates, suspected labels, odd images, a test set from elsewhere.

It starts Snakemake with the config and stops when the audit's files and its figure are made, then says what was found and where to look.
Nothing trains. It opens the test images, as an audit must; no job that trains or selects reads what it writes.

    ftbench audit config/demo.yaml
"""


def add_arguments(parser):
    parser.add_argument("config", metavar="CONFIG", help="the study's config")
    parser.add_argument("--cores", default="all", metavar="N", help="how many cores Snakemake may use (default: all)")


def run(arguments) -> int:
    from ftbench.study import config
    from ftbench.study.checks import beyond_schema
    from ftbench.tools.audit import run_audit, told

    study = config.read(arguments.config)
    beyond_schema.check_files(study)
    status = run_audit(arguments.config, arguments.cores)
    if status == 0:
        print(*told(study), sep="\n")
    return status
