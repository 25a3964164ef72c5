"""Write TensorBoard event files of every trial and run of a study, finished or not.

They are made from the histories that the jobs write anyway, so that nothing trains again.

    ftbench tensorboard config/demo.yaml
    tensorboard --logdir results/demo/tensorboard
"""

from ftbench.tools.commands._arguments import add_config


def add_arguments(parser):
    add_config(parser)


def run(arguments):
    from pathlib import Path

    from ftbench.study import config
    from ftbench.tools.tensorboard import write_events

    study = config.read(arguments.config)
    results = Path("results") / study["study"]
    print(f"{write_events(study, results)} trials and runs; show them with: tensorboard --logdir {results}/tensorboard")
