"""The argument CONFIG, which most commands take."""


def add_config(parser) -> None:
    """A study's config; without one, the repository's own study."""
    default = "config/config.yaml"
    parser.add_argument(
        "config", metavar="CONFIG", nargs="?", default=default, help="a study's config (default: %(default)s)"
    )
