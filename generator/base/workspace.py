# SPDX-License-Identifier: Apache-2.0
"""A private temporary directory; outputs are renamed from it, so that a kill leaves none incomplete."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .home import TEMPORARY
from .locking import close_lock, open_lock, try_lock
from .signals import unwinding


@contextlib.contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """Yield a new directory in *folder*, and remove it at the end, also after SIGTERM; raises OSError.

    *folder* and its parents are made if needed, and removed at the end if empty. The new directory is locked while in
    use: a later run removes those that killed runs left unlocked.
    """
    with unwinding(), contextlib.ExitStack() as stack:
        for parent in reversed([folder, *folder.parents]):
            if not parent.exists():
                stack.callback(remove_empty, parent)  # first, since an interrupt may follow any call
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
    """Remove leftovers of killed runs in *folder*."""
    for path in folder.glob(f".*{TEMPORARY}"):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:  # removed meanwhile, or another user's
                lock = open_lock(path)
                stack.callback(close_lock, lock)
                if try_lock(lock, shared=False):
                    shutil.rmtree(path, ignore_errors=True)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except (KeyboardInterrupt, SystemExit):
        shutil.rmtree(folder, ignore_errors=True)
        raise


def remove_empty(folder: Path) -> None:
    """Remove *folder* if it is empty."""
    with contextlib.suppress(OSError):
        folder.rmdir()
