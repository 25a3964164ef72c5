"""Show the trials and runs of a study while they train; ends when all have ended.

It reads the files that the jobs leave, and disturbs none of them. Start it in a terminal of its own, in the folder that
holds `results/`.

    ftbench watch config/demo.yaml
"""

from ftbench.tools.commands._arguments import add_config


def add_arguments(parser):
    add_config(parser)
    parser.add_argument("--once", action="store_true", help="print the table once, with every run")
    parser.add_argument("--seconds", type=float, default=2.0, help="between two looks (default: %(default)s)")


def run(arguments):
    from pathlib import Path

    from ftbench.study import config
    from ftbench.tools.watch import watch

    study = config.read(arguments.config)
    watch(study, Path("results") / study["study"], arguments.seconds, arguments.once)
