"""Compare every file of a study with what was noted when it was written.

Nothing is changed. A damaged file is named with the command that removes it; the next start of the study makes it again. The exit
status is 1 if a file is damaged.

    ftbench verify cifar10
"""


def add_arguments(parser) -> None:
    parser.add_argument(
        "study", metavar="STUDY", help="the name of a study below results/, or any folder that jobs wrote to"
    )


def run(arguments) -> int:
    from ftbench.tools.verify import report

    return report(arguments.study)
