"""Arguments that several commands take: a study's config, and which finished run of a study is meant."""


def add_config(parser) -> None:
    """A study's config; without one, the repository's own study."""
    default = "config/config.yaml"
    parser.add_argument(
        "config", metavar="CONFIG", nargs="?", default=default, help="a study's config (default: %(default)s)"
    )


def add_run_options(parser) -> None:
    parser.add_argument("--dataset", help="needed if the study has several")
    parser.add_argument("--backbone", help="the backbone's name in the config")
    parser.add_argument("--strategy", help="the strategy's name in the config")
    parser.add_argument(
        "--seed", type=int, help="default: the seed with the best validation score, by the study's selection_metric"
    )
    parser.add_argument(
        "--recommended", action="store_true", help="the cell that the study recommends without any limit"
    )


def chosen_run(arguments):
    """The `ftbench.export.finished.Finished` that these options mean."""
    from ftbench.export import finished

    names = (arguments.dataset, arguments.backbone, arguments.strategy)
    return finished.choose(arguments.study, *names, arguments.seed, arguments.recommended)
