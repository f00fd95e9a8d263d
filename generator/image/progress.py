# SPDX-License-Identifier: Apache-2.0
"""How far long work is, for somebody who watches."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

Tell = Callable[[int, int], None]  # is told how many bytes are done, and of how many
Progress = Callable[[str, bool], AbstractContextManager[Tell]]  # what is done, and whether that will be told

_LONG = 64 << 20  # bytes; less is done before a bar is read


@contextlib.contextmanager
def hidden(what: str, measured: bool) -> Iterator[Tell]:  # noqa: ARG001 - a Progress
    """Show nothing."""
    yield lambda _done, _total: None


@contextlib.contextmanager
def shown(what: str, measured: bool) -> Iterator[Tell]:
    """Show a bar on standard error where that is a terminal, as long as the work lasts, if it is long.

    Work that is not *measured* may be: its bar moves to and fro.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich import console, progress  # which only somebody who watches waits for

    columns: list[progress.ProgressColumn] = [progress.TextColumn("{task.description}", markup=False)]
    columns.append(progress.BarColumn())
    if measured:
        columns += [progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn()]
    bar = progress.Progress(*columns, console=console.Console(stderr=True), transient=True)
    task = bar.add_task(what, total=None)

    def tell(done: int, total: int) -> None:
        if total >= _LONG:
            bar.start()  # once: again does nothing
            bar.update(task, completed=done, total=total)

    try:
        if not measured:
            bar.start()
        yield tell
    finally:
        bar.stop()
