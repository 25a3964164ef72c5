"""Compare the same cells of two studies, on the test images that both have.

Did the new data, the new recipe or the new version help? Cells are matched by data set, backbone and strategy, images by their stored pixels, or by
their files where the stored sizes differ. Differences are B minus A, with the intervals and tests of a study's own tables; p values are corrected by
Holm's method over the matched cells of a data set. Nothing is trained, and nothing is chosen.

    ftbench compare flowers_may flowers_june --map finetune=finetune_long
"""


def add_arguments(parser) -> None:
    parser.add_argument("study_a", metavar="STUDY_A", help="the name of a study below results/, or its folder")
    parser.add_argument("study_b", metavar="STUDY_B", help="the same of the other study")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="NAME_A=NAME_B",
        help="what a data set, backbone or strategy of A is called in B; may be given several times",
    )
    parser.add_argument(
        "--by", choices=("pixels", "files"), help="match images by this alone (default: pixels, else files)"
    )
    parser.add_argument(
        "--format", choices=("text", "csv", "json"), default="text", help="the form of the table (default: text)"
    )


def run(arguments) -> None:
    from ftbench.tools.compare_studies import compare_studies, written

    print(
        written(*compare_studies(arguments.study_a, arguments.study_b, arguments.map, arguments.by), arguments.format)
    )
