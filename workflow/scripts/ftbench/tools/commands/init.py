"""Look at your images, in folders, a table, parquet or tar, and write a config for them that runs as it is.

It prints what it found: classes and parts, sizes, colours, what it leaves out and why, copies, groups that names show, what is
unbalanced. The config suits the number of images and this machine, each value with its reason. Nothing is overwritten.

    ftbench init photos/flowers --output config/flowers.yaml
"""


def add_arguments(parser):
    parser.add_argument(
        "path",
        metavar="PATH",
        help="a folder with one folder per class, a table of files and labels, or a parquet or tar file or folder",
    )
    parser.add_argument(
        "--output", metavar="CONFIG", help="the config to write (default: config/<name of the folder>.yaml)"
    )
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[],
        help="a key of the data set that you know better, as in its config: --set 'exclude=[masks]' (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--hours", type=float, help="what the study may take (default: 1 on CPUs, 3 on a GPU)")
    parser.add_argument(
        "--open",
        type=int,
        default=2000,
        metavar="N",
        help="images to open at most, chosen at random; 0 for all (default: %(default)s)",
    )


def run(arguments):
    from ftbench.tools.first_look.init import init

    init(arguments.path, arguments.output, arguments.set, arguments.hours, arguments.open)
