"""Say in a sentence what is wrong with a config, before anything runs.

It reads the config as the workflow would, fills in every default, and looks for the files that it names.

    ftbench check config/demo.yaml
"""


def add_arguments(parser):
    parser.add_argument("config", metavar="CONFIG", help="the study's config")
    parser.add_argument("--quiet", action="store_true", help="print nothing if nothing is wrong")


def run(arguments):
    from ftbench.study import checks, config, grid

    study = config.read(arguments.config)
    checks.check_files(study)
    if not arguments.quiet:
        cells = len(grid.cells(study))
        print(
            f"{arguments.config} is valid: the study {study['study']} has {cells} cells of {len(study['seeds'])} seeds."
        )
