"""Write what a finished run answered, on the validation and the test images, as a file that another study takes as predictions.

OUT ends in .csv, .npz or .parquet. Its logits are exact: a study that reads them again has the same scores to the last digit. So a cell of
this study can stand beside those of another one; docs/predictions.md shows how.

    ftbench predictions demo --dataset digits-64 --recommended best.csv
    ftbench predictions demo --backbone efficientnet_lite0 --strategy finetune --seed 0 --part test test.npz
"""


def add_arguments(parser) -> None:
    parser.add_argument("study", metavar="STUDY", help="the name of a study below results/, or its folder")
    parser.add_argument("out", metavar="OUT", help="the file to write, which must not exist yet")
    parser.add_argument("--dataset", help="needed if the study has several")
    parser.add_argument("--backbone", help="the backbone's name in the config")
    parser.add_argument("--strategy", help="the strategy's name in the config")
    parser.add_argument("--seed", type=int, help="default: the seed with the best validation accuracy")
    parser.add_argument(
        "--recommended", action="store_true", help="the cell that the study recommends without any limit"
    )
    parser.add_argument("--part", choices=("validation", "test"), help="of the images (default: both in one file)")
    parser.add_argument(
        "--values",
        choices=("logits", "probabilities"),
        default="logits",
        help="(default: %(default)s, which are exact)",
    )


def run(arguments) -> None:
    from pathlib import Path

    from ftbench.export import finished, predictions_file

    chosen = finished.choose(
        arguments.study,
        arguments.dataset,
        arguments.backbone,
        arguments.strategy,
        arguments.seed,
        arguments.recommended,
    )
    parts = [arguments.part] if arguments.part else list(predictions_file.PARTS)
    images = predictions_file.write_predictions(chosen, Path(arguments.out), parts, arguments.values)
    print(
        f"{arguments.out}: {arguments.values} of {images:,} {' and '.join(parts)} images of {' / '.join(chosen.cell)}, {chosen.folder.name}"
    )
    print(
        f"a study reads it as: strategies: {{NAME: {{kind: predictions, backbone: LABEL, values: {arguments.values}, "
        f"files: {{DATASET: {arguments.out}}}}}}}"
    )
