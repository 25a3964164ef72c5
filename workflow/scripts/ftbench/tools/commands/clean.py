"""Remove the results of a config's study; downloads, weights and other studies stay.

It says what goes, and keeps to results/<name> of the folder where it is started.

    ftbench clean config/demo.yaml
"""


def add_arguments(parser):
    parser.add_argument("config", metavar="CONFIG", help="the study's config")


def run(arguments):
    from ftbench.tools.clean import clean

    clean(arguments.config)
