"""Which signals ask a process to stop: all that would end it and can be caught, but those that report a fault."""

from __future__ import annotations

import signal
import threading

ALWAYS = (signal.SIGTERM, signal.SIGINT)
# Ctrl-\, a closed terminal, a batch system's warning, an alarm, a limit of processor time, a failing power supply.
# Where a program around us handles them already, they are left alone.
IF_FREE = ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU", "SIGIO", "SIGPWR")
ASKED = {*ALWAYS, *(getattr(signal, name) for name in IF_FREE if hasattr(signal, name))}


def passed_on() -> list[int]:
    """The signals that a process hands to those it has started, whoever handles them by now; not ignored ones."""
    if threading.current_thread() is not threading.main_thread():
        return []
    return sorted(number for number in ASKED if signal.getsignal(number) != signal.SIG_IGN)


def stop_signals() -> list[int]:
    """The signals that this thread may handle as a wish to stop; none outside the main thread, which Python forbids.

    A signal that was set to be ignored, as `nohup` does with SIGHUP, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        return []
    known = [getattr(signal, name) for name in IF_FREE if hasattr(signal, name)]
    if hasattr(signal, "SIGRTMIN"):
        known += range(signal.SIGRTMIN, signal.SIGRTMAX + 1)
    free = [number for number in known if signal.getsignal(number) == signal.SIG_DFL]
    return [*(number for number in ALWAYS if signal.getsignal(number) != signal.SIG_IGN), *free]
