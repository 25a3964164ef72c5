"""Memory that ran out, in a sentence, whoever noticed: Python, the system, torch on either device, or the loader of a library."""

import errno

LONGEST = 200  # characters of what was said
# torch's words for the CPU; the dynamic loader's under a limit on addresses (`ulimit -v`).
WORDS = ("can't allocate memory", "cannot allocate memory", "failed to map segment")
# Those of CUDA's runtime and libraries, and of Metal, which torch passes on as plain errors.
GPU_WORDS = (
    "cuda error: out of memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "mps backend out of memory",
)
ADVICE = {
    "GPU": "give the strategy a larger `accumulate`, which takes a batch in parts, a smaller `batch_size` or image size, or the "
    "device fewer jobs (FTBENCH_SLOTS_PER_GPU)",
    "CPU": "free some, raise this job's limit (ulimit, control group, batch system), start fewer jobs at a time, or lower "
    "`batch_size`",
}

OTHERWISE = {
    "GPU": "let fewer jobs share the device (FTBENCH_SLOTS_PER_GPU)",
    "CPU": "free some, raise this job's limit (ulimit, control group, batch system), or start fewer jobs at a time",
}


def out_of_memory(error: BaseException | None) -> str | None:
    """What to say of an error that tells of memory that ran out; None of any other. Errors that it followed count."""
    while error is not None:
        kind = _kind(error)
        if kind:
            said = " ".join(str(error).split())
            detail = f" ({said[:LONGEST]}{'...' * (len(said) > LONGEST)})" if said else ""
            advice = next(iter(getattr(error, "__notes__", ())), ADVICE[kind])
            return f"Not enough memory{' on the GPU' * (kind == 'GPU')}{detail}: {advice}."
        error = error.__context__
    return None


def name_smaller_batch(error: Exception, images: int, parts: int, processes: int = 1) -> None:
    """If `error` tells of memory that ran out in a training step, let its sentence name the batch size to try.

    The step took `images` in `parts` (the recipe's `accumulate`), shared by so many `processes`.
    """
    kind = _kind(error)
    if kind is None:
        return
    parts = min(parts, images)
    at_once = -(-images // (parts * processes))  # rounded up
    said = f"a training step of {images} images, {at_once} of them at a time, did not fit"
    if at_once > 2:
        half = -(-images // (2 * parts * processes))
        smaller = at_once // 2 * processes * parts
        said += f"; give the strategy `accumulate: {2 * parts}`, which takes the same batch {half} at a time, or `batch_size: {smaller}`"
    else:
        said += "; only a smaller image size or network helps"
    error.add_note(f"{said}; otherwise {OTHERWISE[kind]}")


def _kind(error: BaseException) -> str | None:
    """ "GPU" or "CPU"; None for an error of another kind."""
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which this folder does not import
        return "GPU"
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return "CPU"
    if not isinstance(error, RuntimeError | ImportError):
        return None
    said = str(error).lower()
    if any(words in said for words in GPU_WORDS):
        return "GPU"
    return "CPU" if any(words in said for words in WORDS) else None
