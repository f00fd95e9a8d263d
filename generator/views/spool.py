# SPDX-License-Identifier: Apache-2.0
"""Bytes of any number in one temporary file, which are read in parts, so that memory holds none of them for long.

The file has no name, or loses it at once where the system can, so that nothing remains however the program ends. Runs
of zeros take no room in it.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from typing import Final, overload

from ..base.errors import GeneratorError

_IN_MEMORY: Final = 16 << 20  # bytes; what is more lies in the file
CHUNK: Final = 1 << 16  # bytes that are read or written at once
_ZEROS: Final = bytes(CHUNK)


class Spool:
    """A temporary file that grows."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by __del__
        self.size = 0
        self._block = -1  # the number of the block that was read last
        self._held = b""

    def __del__(self) -> None:
        """Remove the file."""
        self._file.close()

    def write(self, data: bytes) -> None:
        """Append *data*; raise GeneratorError if there is no room."""
        try:
            if self.size + len(data) > _IN_MEMORY:
                self._file.rollover()
            if data != _ZEROS:
                self._file.seek(self.size)
                self._file.write(data)
                self._file.flush()
        except OSError as error:
            raise GeneratorError(
                f"a temporary file cannot be written: {error.strerror}; set TMPDIR to a folder with more room"
            ) from error
        self.size += len(data)
        self._block = -1

    def read(self, at: int, size: int) -> bytes:
        """Return *size* bytes from byte *at* on, or as many as there are."""
        size = max(0, min(size, self.size - at))
        number, start = divmod(at, CHUNK)
        if start + size > CHUNK:
            return self._read(at, size)
        if number != self._block:
            self._block, self._held = number, self._read(number * CHUNK, min(CHUNK, self.size - number * CHUNK))
        return self._held[start : start + size]

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size).ljust(size, b"\0")  # behind the file's end there were zeros


class Stored:
    """The *size* bytes of a spool from byte *start* on."""

    def __init__(self, spool: Spool, start: int, size: int) -> None:
        self._spool, self._start, self._size = spool, start, size

    def __len__(self) -> int:
        """Return how many bytes there are."""
        return self._size

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> bytes: ...
    def __getitem__(self, index: int | slice) -> int | bytes:
        """Return one byte, or those of a slice that has no step."""
        if isinstance(index, int):
            return self._spool.read(self._start + range(self._size)[index], 1)[0]
        start, end, _ = index.indices(self._size)
        return self._spool.read(self._start + start, max(0, end - start))

    def part(self, start: int, size: int) -> "Stored":
        """Return *size* bytes from byte *start* on, or as many as there are."""
        start = min(start, self._size)
        return Stored(self._spool, self._start + start, min(size, self._size - start))

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in pieces."""
        for at in range(0, self._size, CHUNK):
            yield self[at : at + CHUNK]

    def same(self, other: "Stored") -> bool:
        """Return whether *other* has the same bytes."""
        return len(self) == len(other) and all(map(bytes.__eq__, self.chunks(), other.chunks()))

    def digest(self) -> str:
        """Return the digest as OCI writes it."""
        found = hashlib.sha256()
        for chunk in self.chunks():
            found.update(chunk)
        return f"sha256:{found.hexdigest()}"


class ByteStream:
    """Bytes as the stream that the reader of tars asks for."""

    def __init__(self, data: bytes | Stored) -> None:
        self._data, self._at = data, 0

    def read(self, size: int, /) -> bytes:
        """Return up to *size* bytes."""
        part = self._data[self._at : self._at + size]
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int, /) -> int:
        """Go to byte *offset*, or where *whence* is 1, that many bytes on."""
        self._at = offset + (self._at if whence else 0)
        return self._at

    def seekable(self) -> bool:
        """Return True."""
        return True
