"""Ctrl-C ends a study with one line on the terminal, whatever it was doing.

A terminal sends the signal to every process. The jobs end by themselves and training saves its state; Snakemake would then list
each of them as failed, with the end of its log. That list goes to Snakemake's own log file alone.
"""

import logging
import os
import signal
import threading

LINE = "Interrupted: running jobs end, training saves its state, and the next start goes on from there."
STATUS = 130  # a shell's exit status of a program that Ctrl-C ended


class Interrupt(logging.Filter):
    """Says one line at the first Ctrl-C and ends the process; as a filter, keeps a terminal quiet from then on."""

    def __init__(self):
        super().__init__()
        self.came = False

    def __call__(self, number: int, frame) -> None:
        if not self.came:
            self.came = True
            os.write(2, f"\n{LINE}\n".encode())
        raise SystemExit(STATUS)  # Snakemake takes it for the interrupt that it is, and waits for its jobs

    def filter(self, record: logging.LogRecord) -> bool:
        return not self.came


def end_with_one_line(logger: logging.Logger) -> None:
    """Answer Ctrl-C for this process, whose `logger` writes to a terminal and to files; files stay complete.

    Nothing is done where Ctrl-C is answered already, or ignored as in a program that a script put into the background.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    interrupt = Interrupt()
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.addFilter(interrupt)
    signal.signal(signal.SIGINT, interrupt)
