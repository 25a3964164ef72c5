"""Log the runs of a study to a tracker, from its saved records.

Each run becomes one run there: recipe and network as parameters, epochs as curves, scores and costs as metrics, its files linked by path.
Nothing trains again. Logging a study twice gives every run twice in MLflow and Trackio; TensorBoard's folder is written anew.

    ftbench log demo --to tensorboard
    ftbench log demo --to mlflow
"""


def add_arguments(parser) -> None:
    parser.add_argument("study", metavar="STUDY", help="the name of a study below results/, or its folder")
    parser.add_argument("--to", choices=("mlflow", "tensorboard", "trackio"), required=True, help="the tracker")


def run(arguments) -> None:
    from ftbench.tools import trackers

    count, where = trackers.log(arguments.study, arguments.to)
    print(f"{count} run{'s' * (count != 1)} logged to {where}")
