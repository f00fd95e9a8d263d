# SPDX-License-Identifier: Apache-2.0
"""Signals that end a program, made to unwind it first, so that it stops what it started and removes what it made."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """Make SIGTERM, and SIGHUP of a terminal that closes, unwind the stack as Ctrl-C does.

    So what was started is stopped. A signal that is ignored, as nohup has it, stays ignored.
    """

    def unwind(number: int, _: object) -> None:
        sys.exit(128 + number)

    ours = []
    # Python lets only the main thread set handlers; one set by somebody else stays.
    if threading.current_thread() is threading.main_thread():
        ours = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, unwind)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
