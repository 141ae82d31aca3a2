"""Which signals ask a process to stop."""

from __future__ import annotations

import signal
import threading

ALWAYS = (signal.SIGTERM, signal.SIGINT)
# The usual choices for a batch system's warning, which would kill the process. Where a program around us handles them
# already, or ignores them, they are left alone.
IF_FREE = ("SIGUSR1", "SIGUSR2")


def stop_signals() -> list[signal.Signals]:
    """The signals that this thread may handle as a wish to stop; none outside the main thread, which Python forbids."""
    if threading.current_thread() is not threading.main_thread():
        return []
    known = [getattr(signal, name) for name in IF_FREE if hasattr(signal, name)]
    return [*ALWAYS, *(number for number in known if signal.getsignal(number) == signal.SIG_DFL)]
