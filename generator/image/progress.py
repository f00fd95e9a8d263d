# SPDX-License-Identifier: Apache-2.0
"""How far long work is, for somebody who watches."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

Advance = Callable[[int], None]  # is told how many bytes are done since the last time
Progress = Callable[[str, int | None], AbstractContextManager[Advance]]  # what is done, and how many bytes that is

_LONG = 64 << 20  # bytes; less is done before a bar is read


@contextlib.contextmanager
def hidden(what: str, total: int | None) -> Iterator[Advance]:  # noqa: ARG001 - a Progress
    """Show nothing."""
    yield lambda _: None


@contextlib.contextmanager
def shown(what: str, total: int | None) -> Iterator[Advance]:
    """Show a bar on standard error where that is a terminal, for as long as the work lasts.

    *total* is None where nobody can tell how long that is.
    """
    if sys.stderr is None or not sys.stderr.isatty() or (total is not None and total < _LONG):
        with hidden(what, total) as advance:
            yield advance
        return
    from rich import console, progress  # which only somebody who watches waits for

    columns = (progress.TextColumn("{task.description}", markup=False), progress.BarColumn())
    measures = (progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn())
    with progress.Progress(
        *columns, *(measures if total is not None else ()), console=console.Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda size: bar.advance(task, size)
