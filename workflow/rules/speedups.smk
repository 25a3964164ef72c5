# What keeps the planning of thousands of jobs short. None of it changes a plan: `make scale` shows what each line is worth.
import functools
import gc
import inspect

import smart_open
from snakemake.common import overwrite_function_params

# A plan is millions of small objects that stay. Looking through them after every 700 new ones, as Python does, takes a tenth of
# the time of planning a large study; memory stays the same.
gc.set_threshold(50_000)

# Snakemake takes the path of a job's script apart three times per job, each time through a class made for the answer: a tenth
# of the time. The answer depends on the path alone, and there are as many as scripts.
smart_open.parse_uri = functools.cache(smart_open.parse_uri)


def planned(function):
    """A function that thousands of jobs call, with its parameters beside it: Snakemake asks for them several times per call."""
    overwrite_function_params(function, inspect.signature(function).parameters)
    return function
