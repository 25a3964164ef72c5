"""Write what a finished run answered, on the validation and the test images, as a file that another study takes as predictions.

OUT ends in .csv, .npz or .parquet. Its logits are exact: a study that reads them again has the same scores to the last digit. So a cell of
this study can stand beside those of another one; docs/predictions.md shows how.

    ftbench predictions demo --dataset digits-64 --recommended best.csv
    ftbench predictions demo --backbone efficientnet_lite0 --strategy finetune --seed 0 --part test test.npz
"""

from ftbench.tools.commands._arguments import add_run_options, chosen_run


def add_arguments(parser) -> None:
    parser.add_argument("study", metavar="STUDY", help="the name of a study below results/, or its folder")
    parser.add_argument("out", metavar="OUT", help="the file to write, which must not exist yet")
    add_run_options(parser)
    parser.add_argument("--part", choices=("validation", "test"), help="of the images (default: both in one file)")
    parser.add_argument(
        "--values",
        choices=("logits", "probabilities"),
        default="logits",
        help="(default: %(default)s, which are exact)",
    )


def run(arguments) -> None:
    from pathlib import Path

    from ftbench.export import predictions_file

    chosen = chosen_run(arguments)
    parts = [arguments.part] if arguments.part else list(predictions_file.PARTS)
    images = predictions_file.write_predictions(chosen, Path(arguments.out), parts, arguments.values)
    print(
        f"{arguments.out}: {arguments.values} of {images:,} {' and '.join(parts)} images of {' / '.join(chosen.cell)}, {chosen.folder.name}"
    )
    print(
        f"a study reads it as: strategies: {{NAME: {{kind: predictions, backbone: LABEL, values: {arguments.values}, "
        f"files: {{DATASET: {arguments.out}}}}}}}"
    )
