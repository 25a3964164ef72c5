# What keeps the planning of thousands of jobs short. None of it changes a plan: `make scale` shows what it is worth, and
# tests/workflow/test_speedups.py fails if a part has no effect any more. None has an upstream report yet; each says what would replace it.
import functools
import gc
import inspect
import threading

import smart_open
from snakemake.common import overwrite_function_params
from snakemake.scheduling.job_scheduler import JobScheduler

# These two hold for the whole process. A workflow that uses this one as a module decides about its process itself.
if workflow.modifier.is_main_snakefile():
    # A plan is millions of small objects that stay. Looking through them after every 700 new ones, as Python does, takes a tenth of
    # the time of planning a large study; memory stays the same.
    # Replaced by: Snakemake raising this threshold, or calling gc.freeze(), while it builds the graph of jobs.
    gc.set_threshold(50_000)

    # Snakemake takes the path of a job's script apart three times per job, each time through a class made for the answer: a tenth
    # of the time. The answer depends on the path alone, and there are as many as scripts.
    # Replaced by: a cache on snakemake.common.parse_uri, or one snakemake.sourcecache.infer_source_file per rule instead of per job.
    smart_open.parse_uri = functools.cache(smart_open.parse_uri)


def look_again(scheduler, delay):
    """Let the scheduler look for free slots after `delay` seconds, unless it is going to already; nothing waits for it at the end."""

    def now():
        scheduler._looks_again = False
        scheduler._open_jobs.release()

    if not getattr(scheduler, "_looks_again", False):
        scheduler._looks_again = True
        timer = threading.Timer(delay, now)
        timer.daemon = True
        timer.start()


if workflow.modifier.is_main_snakefile():
    # Whenever it has looked for jobs to start, Snakemake asks to look again a second later, for its limit of jobs per second. So every job that
    # ends begins another endless chain of looks, and each reads the sizes of all inputs of the jobs that wait: a sixth of the processor's
    # time of a study of 99 jobs, and more of a larger one. One look a second is all that the limit needs.
    # Replaced by: JobScheduler._schedule_reevalutation with one timer.
    JobScheduler._schedule_reevalutation = look_again


def planned(function):
    """A function that thousands of jobs call, with its parameters beside it: Snakemake asks for them several times per call.

    It marks this workflow's own function alone. Replaced by: a cache on inspect.signature in snakemake.common.get_function_params;
    python/cpython#150816 would make each call quicker.
    """
    overwrite_function_params(function, inspect.signature(function).parameters)
    return function
