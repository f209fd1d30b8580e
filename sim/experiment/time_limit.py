"""A time limit for what may never end."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

GRACE_S: Final = 5.0
"""After the limit, until a process that cannot be interrupted is ended."""


class OutOfTimeError(BaseException):
    """The limit is over. No Exception, so that none of those who catch these stop it."""


@contextmanager
def time_limit(seconds: float | None, *, may_die: bool = False) -> Iterator[None]:
    """Raise `OutOfTimeError` in the body once the seconds are over; None: never. Only in a main thread.

    Args:
        seconds: of the wall clock.
        may_die: end the process, a little later, where the body is in compiled code that no signal interrupts.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    nowhere = open(os.devnull, "w") if may_die else None  # noqa: PTH123, SIM115 - stays open as long as the watch
    if nowhere is not None:
        faulthandler.dump_traceback_later(seconds + GRACE_S, file=nowhere, exit=True)
    try:
        yield
    finally:
        if nowhere is not None:
            faulthandler.cancel_dump_traceback_later()
            nowhere.close()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _stop(*_: object) -> NoReturn:
    raise OutOfTimeError
