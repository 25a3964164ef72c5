"""Print the trials, runs and estimated hours of a study; run nothing.

The estimate is for the machine that the config's `hardware` names, within a factor of two. Torch counts the operations of
each backbone, which takes some seconds.

    ftbench plan config/demo.yaml
"""

from ftbench.tools.commands._arguments import add_config


def add_arguments(parser):
    add_config(parser)


def run(arguments):
    from ftbench.study import config
    from ftbench.study.checks import beyond_schema
    from ftbench.tools import plan

    study = config.read(arguments.config)
    beyond_schema.check_files(study)
    print(plan.show(study, plan.plan(study)))
