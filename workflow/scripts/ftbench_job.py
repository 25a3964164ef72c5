"""What every entry script imports first: `job`, of the package that lies beside the script, whatever else is installed.

Snakemake puts a script's folder last on sys.path. So an ftbench in site-packages or on PYTHONPATH would be found before
the one of this checkout, and the job would run other code than its digest names.
"""

import contextlib
import sys


@contextlib.contextmanager
def job(snakemake):
    """Enter the job of `snakemake`, and end this process after it: ftbench.base.job has the rest.

    Everything after it imports from this checkout.
    """
    sys.path.insert(0, snakemake.scriptdir)
    from ftbench.base.job import job as enter
    from ftbench.base.job import leave

    with enter(snakemake):
        yield
    leave()
