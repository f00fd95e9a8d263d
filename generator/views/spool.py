# SPDX-License-Identifier: Apache-2.0
"""A temporary file for unpacked layers, read in chunks so that memory use stays constant.

The file has no name where the system supports that, so nothing remains if the program is killed. Runs of zeros are
stored sparsely.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from typing import Final

from ..base.errors import GeneratorError

_IN_MEMORY: Final = 16 << 20  # bytes; more go to the file
CHUNK: Final = 1 << 16  # bytes per read or write
_ZEROS: Final = bytes(CHUNK)


class Spool:
    """A temporary file that grows."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by __del__
        self.size = 0

    def __del__(self) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Append *data*; raise GeneratorError if the disk is full."""
        try:
            if self.size + len(data) > _IN_MEMORY:
                self._file.rollover()
            if data != _ZEROS:
                self._file.seek(self.size)
                self._file.write(data)
                self._file.flush()
        except OSError as error:
            raise GeneratorError(
                f"temporary file: cannot be written: {error.strerror}; hint: set TMPDIR to a folder with more space"
            ) from error
        self.size += len(data)

    def read(self, at: int, size: int) -> bytes:
        """Return up to *size* bytes from offset *at*."""
        size = max(0, min(size, self.size - at))
        self._file.seek(at)
        return self._file.read(size).ljust(size, b"\0")  # past the end of the file are zeros


class Stored:
    """The *size* bytes of a spool from offset *start*."""

    def __init__(self, spool: Spool, start: int, size: int) -> None:
        self._spool, self._start, self._size = spool, start, size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: slice) -> bytes:
        """Return the bytes of a slice without a step."""
        start, end, _ = index.indices(self._size)
        return self._spool.read(self._start + start, max(0, end - start))

    def part(self, start: int, size: int) -> "Stored":
        """Return up to *size* bytes from offset *start*, still in the spool."""
        start = min(start, self._size)
        return Stored(self._spool, self._start + start, min(size, self._size - start))

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in chunks."""
        for at in range(0, self._size, CHUNK):
            yield self[at : at + CHUNK]

    def same(self, other: "Stored") -> bool:
        """Return whether *other* holds the same bytes."""
        return len(self) == len(other) and all(map(bytes.__eq__, self.chunks(), other.chunks()))

    def digest(self) -> str:
        """Return the SHA-256 digest as OCI writes it, ``sha256:`` and hexadecimal."""
        found = hashlib.sha256()
        for chunk in self.chunks():
            found.update(chunk)
        return f"sha256:{found.hexdigest()}"


class StoredReader:
    """Bytes as a stream for TarReader."""

    def __init__(self, data: bytes | Stored) -> None:
        self._data, self._at = data, 0

    def read(self, size: int, /) -> bytes:
        """Return up to *size* bytes."""
        part = self._data[self._at : self._at + size]
        self._at += len(part)
        return part

    def seek(self, offset: int, _: int, /) -> int:
        """Skip *offset* bytes forward; return the new position."""
        self._at += offset
        return self._at

    def seekable(self) -> bool:
        return True
