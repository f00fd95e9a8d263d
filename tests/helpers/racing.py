# SPDX-License-Identifier: Apache-2.0
"""Races without luck: something is exchanged right before the n-th call that opens, lists or renames a file."""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .support import lack

LASTING = 1 << 30  # calls: to the end of a run
_EVENTS = ("open", "os.scandir", "os.rename", "os.link")
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_hooks: list[Callable[[str, tuple[Any, ...]], None]] = []


def _hook(event: str, values: tuple[Any, ...]) -> None:
    if event in _EVENTS and _hooks:
        hook = _hooks.pop()  # what the exchange opens itself does not count
        try:
            hook(event, values)
        finally:
            _hooks.append(hook)


_installed: list[bool] = []  # an audit hook stays for as long as the process lives


def points(
    run: Callable[[], None],
    change: Callable[[], None],
    restore: Callable[[], None],
    names: set[str],
    calls: int = LASTING,
) -> int:
    """Call *run* again and again, each time with *change* before a later call that has to do with *names*.

    *names* holds what paths end in; a folder that is open counts always. *restore* comes so many *calls* later,
    or after the run. Return the number of runs in which there was a change.
    """
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)
    for point in range(1, 10_000):
        seen = 0

        def hook(_event: str, values: tuple[Any, ...], point: int = point) -> None:
            nonlocal seen
            path = values[0]
            if not isinstance(path, int) and Path(os.fsdecode(path)).name not in names:
                return
            seen += 1
            if seen == point:
                change()
            elif seen == point + calls:
                restore()

        _hooks.append(hook)
        try:
            run()
        finally:
            _hooks.pop()
        if seen < point:
            return point - 1
        if seen < point + calls:
            restore()
    raise AssertionError("the run makes too many calls")


def exchanges(one: Path, other: Path) -> Iterator[None]:
    """Swap two paths atomically each time that the next item is requested."""
    if sys.platform != "linux":
        lack("only Linux exchanges two names in one step")
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        lack("the C library has no renameat2")
    while True:
        if library.renameat2(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _RENAME_EXCHANGE):
            lack(f"renameat2: {os.strerror(ctypes.get_errno())}")
        yield
