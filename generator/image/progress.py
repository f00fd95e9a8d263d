# SPDX-License-Identifier: Apache-2.0
"""Progress of long work, shown on a terminal."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from ..base.process import bytes_read

Tell = Callable[[int, int], None]  # receives the bytes done and their total
Progress = Callable[[str, bool], AbstractContextManager[Tell]]  # a description, and whether bytes are counted

_LONG = 64 << 20  # bytes; smaller transfers are too quick for a bar


@contextlib.contextmanager
def hidden(what: str, measured: bool) -> Iterator[Tell]:  # noqa: ARG001 - a Progress
    """Show nothing."""
    yield lambda _done, _total: None


def measured(size: int) -> bool:
    """Return whether to show the bytes of a push of *size* bytes: it is long, and the system counts reads."""
    return size >= _LONG and bytes_read(os.getpid()) > 0


@contextlib.contextmanager
def shown(what: str, measured: bool) -> Iterator[Tell]:
    """Show a progress bar on standard error during long work if that is a terminal.

    The bar of work that is not *measured* moves to and fro.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich import console, progress  # slow to import, so only for a terminal

    columns: list[progress.ProgressColumn] = [progress.TextColumn("{task.description}", markup=False)]
    columns.append(progress.BarColumn())
    if measured:
        columns += [progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn()]
    bar = progress.Progress(*columns, console=console.Console(stderr=True), transient=True)
    task = bar.add_task(what, total=None)

    def tell(done: int, total: int) -> None:
        if total >= _LONG:
            bar.start()  # no-op after the first time
            bar.update(task, completed=done, total=total)

    try:
        if not measured:
            bar.start()
        yield tell
    finally:
        bar.stop()
