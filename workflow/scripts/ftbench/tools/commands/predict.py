"""Classify images with a trained model: an exported folder, or a finished run of a study.

PATH is an image, a folder (all images below it), or a table (.csv, .tsv, .parquet) with a column `file`. Images are read as the study
read its own: orientation, values of more than 8 bits, crop or padding. Probabilities are calibrated by the run's temperature; `set` names
the classes that hold the true one in 90 % of cases; `unlike` marks what lies far from the training images. The exit status is 3 if a
file could not be read: such files are reported, and have a row with the reason.

    ftbench predict model photos/ --top 3
    ftbench predict results/demo/runs/digits-64/resnet8/scratch/seed0 photo.jpg --unsure 0.95
    ftbench predict model new.csv --format csv --out answers.csv
"""

SOME_UNREADABLE = 3


def add_arguments(parser) -> None:
    parser.add_argument("model", metavar="MODEL_OR_RUN", help="a folder of `ftbench export`, or results/.../seed<k>")
    parser.add_argument("paths", metavar="PATH", nargs="+", help="images, folders, tables")
    parser.add_argument("--top", type=int, default=3, metavar="N", help="classes to show (default: %(default)s)")
    parser.add_argument(
        "--format", choices=("table", "csv", "json", "parquet"), default="table", help="(default: table)"
    )
    parser.add_argument("--out", metavar="FILE", help="write there and not to the terminal")
    parser.add_argument(
        "--unsure",
        type=float,
        metavar="P",
        help="mark answers as unsure, so that of the others a share P is right (a promise that validation images prove)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads that read images (default: all cores)")


def run(arguments) -> int:
    import sys
    from pathlib import Path

    from tqdm import tqdm

    from ftbench.base.errors import InputError
    from ftbench.export import answers_table, doubt, models, predict_files

    if arguments.top < 1:
        raise InputError(f"--top {arguments.top} shows nothing; give 1 or more.")
    model = models.load(arguments.model)
    least = None
    if arguments.unsure is not None:
        least = doubt.threshold_for(model.confidence, model.validation, arguments.unsure)
    if model.reference is None:
        print("This model has no distances to its training images: a run has them if it was fitted on features, an exported "
              "model if its network has features.", file=sys.stderr)  # fmt: skip
    files = predict_files.listed(arguments.paths)
    if not files:
        raise InputError(f"PATH: no image is in {', '.join(arguments.paths)}.")
    top = min(arguments.top, len(model.classes))
    rows, failed = [], 0
    told = predict_files.answers(model, files, arguments.threads)
    for answer in tqdm(told, total=len(files), unit=" images", disable=None, file=sys.stderr):
        rows.append(answers_table.row(answer, model, top, least))
        if answer.error is not None:
            failed += 1
            tqdm.write(f"{answer.file}: cannot be read: {answer.error}", file=sys.stderr)
    shown = answers_table.write(rows, arguments.format, Path(arguments.out) if arguments.out else None)
    if shown is not None:
        print(shown, end="")
    if failed:
        print(f"{failed} of {len(files)} files could not be read.", file=sys.stderr)
    return SOME_UNREADABLE if failed else 0
