# SPDX-License-Identifier: Apache-2.0
"""Turn SIGTERM and SIGHUP into SystemExit so that cleanup runs."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """Raise SystemExit on SIGTERM and SIGHUP within the block; ignored signals, as under nohup, stay ignored."""

    def unwind(number: int, _: object) -> None:
        sys.exit(128 + number)

    ours = []
    # Only the main thread can set handlers; handlers set by others stay.
    if threading.current_thread() is threading.main_thread():
        ours = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, unwind)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP wait until the end of the block, such as the start of a process to be stopped."""
    arrived: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if callable(handler):
            signal.signal(number, lambda number, _: arrived.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)
        for each in arrived:
            signal.raise_signal(each)
