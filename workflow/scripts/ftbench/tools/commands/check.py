"""Say in a sentence what is wrong with a study, before anything runs.

It reads the config as the workflow would, fills in every default, and looks for the files that it names. Then it builds every
network, with random weights and nothing downloaded, and takes one tiny step with every strategy: a size that patches do not divide,
weights that do not exist, a strategy that does not fit a network. With --config-only it leaves the networks out, in a moment.

    ftbench check config/demo.yaml
"""


def add_arguments(parser):
    parser.add_argument("config", metavar="CONFIG", help="the study's config")
    parser.add_argument("--config-only", action="store_true", help="read the config, and build no network")
    parser.add_argument("--quiet", action="store_true", help="print nothing if nothing is wrong")


def run(arguments):
    from ftbench.study import config, grid
    from ftbench.study.checks import beyond_schema

    study = config.read(arguments.config)
    beyond_schema.check_files(study)
    if not arguments.config_only:
        from ftbench.base.errors import InputError
        from ftbench.tools.try_networks import faults

        if found := list(faults(study)):
            raise InputError("\n".join(f"config: {fault}" for fault in found))
    if not arguments.quiet:
        cells = grid.cells(study)
        folds = [
            f"{name} is tested in {len(own)} folds" for name in study["datasets"] if (own := grid.folds_of(study, name))
        ]
        print(
            f"{arguments.config} is valid: the study {study['study']} has {len(cells)} cells of {len(study['seeds'])} seeds"
            f"{''.join(f'; {said}' for said in folds)}."
        )
