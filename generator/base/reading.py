# SPDX-License-Identifier: Apache-2.0
"""Read untrusted regular files without hanging on pipes and devices or exhausting memory."""

import errno
import os
import stat

from .errors import GeneratorError

AnyPath = str | os.PathLike[str]
MAX_FILE = 64 << 20  # bytes; far above any file of a project
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # not on Windows
# O_NONBLOCK: opening a pipe must not wait for a writer.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)


class NotRegularError(OSError):
    """The path names a pipe, a device or a socket."""

    def __init__(self, path: AnyPath) -> None:
        super().__init__(errno.EINVAL, "not a regular file", path)


def open_regular(path: AnyPath, *, follow: bool = True, folder: int | None = None) -> int:
    """Return a descriptor for reading the regular file at *path*, which may be relative to the descriptor *folder*.

    Never waits for a pipe. Raises OSError, for a symlink too unless *follow*.
    """
    descriptor = open_any(path, follow=follow, folder=folder)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise NotRegularError(path)


def open_any(path: AnyPath, *, follow: bool = True, folder: int | None = None) -> int:
    """Return a descriptor as open_regular() does, of a file of any kind."""
    return os.open(path, _READ | (0 if follow else NO_FOLLOW), dir_fd=folder)


def read_file(path: AnyPath, shown: str, limit: int = MAX_FILE, *, follow: bool = True) -> bytes:
    """Return the content of the regular file at *path*, of at most *limit* bytes.

    Raises GeneratorError, which names the file *shown*, for anything else, and for a symlink unless *follow*.
    """
    try:
        descriptor = open_regular(path, follow=follow)
        try:
            size = os.fstat(descriptor).st_size
            parts, total = [], 0
            while total <= limit and size <= limit and (part := os.read(descriptor, max(size - total, 0) + 1)):
                parts.append(part)
                total += len(part)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(shown, error) from error
    if max(size, total) > limit:
        raise too_large(shown, limit)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def unreadable(shown: str, error: OSError | ValueError) -> GeneratorError:
    """Return the user's error for the file *shown* that cannot be opened or read."""
    if isinstance(error, NotRegularError):
        return GeneratorError(f"{shown}: not a regular file")
    return GeneratorError(f"{shown}: cannot be read: {getattr(error, 'strerror', None) or error}")


def too_large(shown: str, limit: int) -> GeneratorError:
    """Return the user's error for the file *shown* of more than *limit* bytes."""
    return GeneratorError(f"{shown}: larger than {limit:,} bytes")
