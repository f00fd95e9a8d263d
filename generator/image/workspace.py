# SPDX-License-Identifier: Apache-2.0
"""A folder of a run's own, where everything is made before it gets its place, so that a kill leaves no half of it."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..base.home import TEMPORARY
from ..base.locking import close_lock, open_lock, try_lock
from ..base.signals import unwinding


@contextlib.contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """Make a new folder in *folder*, which is made if need be, and remove it at the end, SIGTERM too; raises OSError.

    Its lock is held as long as it is in use. So a later run can tell what a killed one has left, and removes that.
    What was made of the way to *folder* is removed too where nothing was put there.
    """
    with unwinding(), contextlib.ExitStack() as stack:
        for parent in reversed([folder, *folder.parents]):
            if not parent.exists():
                stack.callback(remove_empty, parent)  # first, since an interrupt may come behind any call
                parent.mkdir(exist_ok=True)
        _sweep(folder)
        while True:
            path = folder / f".{os.urandom(8).hex()}{TEMPORARY}"
            stack.callback(_remove, path)
            path.mkdir(mode=0o700)
            with contextlib.suppress(FileNotFoundError):  # another run swept it before it was locked
                lock = open_lock(path)
                stack.callback(close_lock, lock)
                if try_lock(lock, shared=False) and path.exists():
                    break
        yield path


def _sweep(folder: Path) -> None:
    """Remove what killed runs have left in *folder*."""
    for path in folder.glob(f".*{TEMPORARY}"):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):  # gone meanwhile, or another user's
                lock = open_lock(path)
                try:
                    if try_lock(lock, shared=False):
                        shutil.rmtree(path, ignore_errors=True)
                finally:
                    close_lock(lock)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except (KeyboardInterrupt, SystemExit):
        shutil.rmtree(folder, ignore_errors=True)
        raise


def remove_empty(folder: Path) -> None:
    """Remove *folder* unless something is in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()
