# SPDX-License-Identifier: Apache-2.0
"""Files read as a hostile tree allows: regular files only, and of a size that memory holds."""

import errno
import os
import stat

from .errors import GeneratorError

TYPE_CHECKING = False  # typing's own would cost the staleness check a third of its time
if TYPE_CHECKING:
    from pathlib import Path

MAX_FILE = 64 << 20  # bytes; nothing that takes part is near it
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # absent on Windows
NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # opening a pipe must not wait for a writer


def read_file(path: "Path | str", shown: str, limit: int = MAX_FILE, *, follow: bool = True) -> bytes:
    """Return the content of a regular file of at most *limit* bytes; raises GeneratorError, naming it *shown*, if not.

    A pipe or a device is refused without waiting for it, and a link too unless *follow*.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_WAIT | (0 if follow else NO_FOLLOW))
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
            if not stat.S_ISREG(status.st_mode):
                raise GeneratorError(f"{shown}: not a regular file; name one, or remove this")
            if status.st_size > limit:
                raise GeneratorError(f"{shown}: larger than {limit:,} bytes, which no such file is")
            parts, size = [], 0
            while part := os.read(descriptor, max(status.st_size - size, 0) + 1):  # all, but of a file that grows
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise GeneratorError(f"{shown}: larger than {limit:,} bytes, which no such file is")
            return parts[0] if len(parts) == 1 else b"".join(parts)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise GeneratorError(f"{shown}: cannot be read: {error.strerror}") from error
