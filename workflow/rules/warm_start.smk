# How a job of this machine starts: forked from a process that has torch and the other heavy libraries imported already, which
# saves seconds of every job. FTBENCH_WARM_START=0 in the environment starts a new Python for each, as Snakemake does.
# Jobs of a cluster, and of containers or environments of their own, start as ever.
# Replaced by: nothing that is planned in Snakemake; it runs `python script` for each job.
import atexit
import contextlib
import subprocess

from snakemake.benchmark import benchmarked
from snakemake.script import PythonScript

from ftbench.base.code_digest import SCRIPTS, imported_at_once
from ftbench.base.warm import start as warm

# Where a job loads a module by its name: the package that it does so from, and the table and wildcard that say of what.
LOADED = {
    "strategies": ("ftbench.train.strategies", "strategies", "strategy"),
    "architectures": ("ftbench.model.architectures", "backbones", "backbone"),
}


def imports_of(script, wildcards):
    """What a job of this script imports for certain; nothing is known of another workflow's script.

    Predictions from outside have a backbone by name alone.
    """
    if not (SCRIPTS / script).exists():
        return ()
    found = imported_at_once(script)
    doors = [
        door
        for door, (package, table, name) in LOADED.items()
        if package in found and wildcards.get(name) in STUDY[table]
    ]
    return imported_at_once(script, *settings.modules(STUDY, wildcards, *doors))


def start_warm(cold=PythonScript.execute_script):
    """Let scripts of this process start from servers of its own; `cold` is the way that they start without."""
    servers = warm.Servers()
    atexit.register(servers.close)

    def execute_script(self, fname, edit=False):
        if self.container_img or self.conda_env or self.env_modules:
            return cold(self, fname, edit)
        try:
            job = servers.start(
                fname,
                self.rulename,
                self.threads,
                self.resources.get("tmpdir"),
                imports_of(self.path.get_filename(), self.wildcards),
            )
        except OSError as error:
            logger.warning(f"{self.rulename} starts as a new process: {error}.")
            return cold(self, fname, edit)
        measured = (
            benchmarked(job.pid, self.bench_record) if self.bench_record is not None else contextlib.nullcontext()
        )
        with measured:
            status = job.wait()
        if status:
            raise subprocess.CalledProcessError(status, f"{sys.executable} {fname}")

    PythonScript.execute_script = execute_script


# A workflow that uses this one as a module decides about its process itself.
if warm.wanted() and workflow.is_main_process and workflow.modifier.is_main_snakefile():
    start_warm()
