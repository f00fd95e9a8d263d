# SPDX-License-Identifier: Apache-2.0
"""The system's own locks, which it frees when a process dies: flock, or Windows' locks of a file's bytes."""

import contextlib
import errno
import os
from importlib import import_module

TYPE_CHECKING = False  # typing's own would cost the staleness check a third of its time
if TYPE_CHECKING:
    from typing import Any

_LOCKS = "winscratch/locks"  # below the user's cache, on Windows


def open_lock(folder: "os.PathLike[str] | str") -> int:
    """Return a descriptor whose lock stands for *folder*; raises OSError.

    That is the folder itself, so that no file is left behind and a folder that is read only will do. Windows cannot
    lock a folder: there it is a file in the user's cache, so that it keeps one user's runs apart.
    """
    if _flock() is not None:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # a pipe in its place would wait for a writer
    import hashlib

    name = os.path.normcase(os.path.realpath(folder)).encode("utf-8", "surrogatepass")
    locks = os.path.join(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~"), _LOCKS)
    os.makedirs(locks, exist_ok=True)
    path = os.path.join(locks, hashlib.sha256(name).hexdigest())
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)


def try_lock(descriptor: int, *, shared: bool) -> bool:
    """Take the lock of *descriptor*, beside others if *shared* (not on Windows); tell whether it was free."""
    fcntl = _flock()
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        else:
            msvcrt = import_module("msvcrt")
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}:
            return False
        raise
    return True


def close_lock(descriptor: int) -> None:
    """Free the lock of *descriptor* and close it."""
    if _flock() is None:
        msvcrt = import_module("msvcrt")
        with contextlib.suppress(OSError):  # it was not taken
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)  # closing alone may take Windows a while
    os.close(descriptor)


def _flock() -> "Any":
    try:
        return import_module("fcntl")
    except ImportError:
        return None
