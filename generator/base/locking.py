# SPDX-License-Identifier: Apache-2.0
"""Locks of the operating system, which a process's end releases: flock, or byte range locks on Windows."""

import contextlib
import errno
import os
from importlib import import_module
from types import ModuleType

try:
    _fcntl: ModuleType | None = import_module("fcntl")
except ImportError:  # on Windows
    _fcntl = None
_LOCKS = "winscratch/locks"  # below the user's cache, on Windows


def open_lock(folder: "os.PathLike[str] | str") -> int:
    """Return a descriptor to lock for *folder*; raises OSError.

    That is the folder itself, so nothing is left behind and a read-only folder works. Windows cannot lock folders:
    there it is a file in the user's cache, which excludes only runs of the same user.
    """
    if _fcntl is not None:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # O_DIRECTORY: a pipe would wait for a writer
    import hashlib

    name = os.path.normcase(os.path.realpath(folder)).encode("utf-8", "surrogatepass")
    locks = os.path.join(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~"), _LOCKS)
    os.makedirs(locks, exist_ok=True)
    path = os.path.join(locks, hashlib.sha256(name).hexdigest())
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)


def try_lock(descriptor: int, *, shared: bool) -> bool:
    """Lock *descriptor*, exclusively or *shared* (not on Windows); return False if another process holds it."""
    try:
        if _fcntl is not None:
            _fcntl.flock(descriptor, (_fcntl.LOCK_SH if shared else _fcntl.LOCK_EX) | _fcntl.LOCK_NB)
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
    """Release the lock of *descriptor* and close it."""
    if _fcntl is None:
        msvcrt = import_module("msvcrt")
        with contextlib.suppress(OSError):  # not locked
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)  # after a mere close, Windows may delay the release
    os.close(descriptor)
