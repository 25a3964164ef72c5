"""Print the name of a config's study: its results lie in results/<name>.

ftbench name config/demo.yaml
"""


def add_arguments(parser):
    parser.add_argument("config", metavar="CONFIG", help="the study's config")


def run(arguments):
    from ftbench.study.config import study_name

    print(study_name(arguments.config))
