"""Memory that ran out, in a sentence, whoever noticed: Python, the system, torch on either device, or the loader of a library."""

import errno

LONGEST = 200  # characters of what was said
# torch's words for the CPU; the dynamic loader's under a limit on addresses (`ulimit -v`).
WORDS = ("can't allocate memory", "cannot allocate memory", "failed to map segment")
ADVICE = {
    "GPU": "give the strategy a larger `accumulate`, which takes a batch in parts, a smaller `batch_size` or image size, or the "
    "device fewer jobs (FTBENCH_SLOTS_PER_GPU)",
    "CPU": "free some, raise this job's limit (ulimit, control group, batch system), start fewer jobs at a time, or lower "
    "`batch_size`",
}


def out_of_memory(error: BaseException | None) -> str | None:
    """What to say of an error that tells of memory that ran out; None of any other. Errors that it followed count."""
    while error is not None:
        kind = _kind(error)
        if kind:
            said = " ".join(str(error).split())
            detail = f" ({said[:LONGEST]}{'...' * (len(said) > LONGEST)})" if said else ""
            return f"Not enough memory{' on the GPU' * (kind == 'GPU')}{detail}: {ADVICE[kind]}."
        error = error.__context__
    return None


def _kind(error: BaseException) -> str | None:
    """ "GPU" or "CPU"; None for an error of another kind."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which this folder does not import
        return "GPU"
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return "CPU"
    told = isinstance(error, RuntimeError | ImportError) and any(words in str(error).lower() for words in WORDS)
    return "CPU" if told else None
