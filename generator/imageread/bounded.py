# SPDX-License-Identifier: Apache-2.0
"""Hash and count a stream while it is read, and stop at decompression bombs."""

import hashlib
import io
from typing import Final

from .untar import ByteStream

CHUNK: Final = 1 << 18  # bytes
MOST_UNPACKED: Final = 64 << 30  # bytes that a layer may unpack to
_FREE: Final = 1 << 30  # bytes that any layer may unpack to, however small its blob
_RATIO: Final = 200  # above _FREE, the most unpacked bytes for each byte of the blob; Windows Server's layers have 2.5


class BombError(Exception):
    """A stream exceeds its limit."""


class HashingReader(io.RawIOBase):
    """Reads *stream*, hashing and counting bytes; reading raises BombError beyond *most* bytes."""

    def __init__(self, stream: ByteStream, algorithm: str = "sha256") -> None:
        super().__init__()
        self.stream, self._hash, self.size, self.most = stream, hashlib.new(algorithm), 0, MOST_UNPACKED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        self._hash.update(data)
        self.size += len(data)
        if self.size > self.most:
            raise BombError
        return len(data)

    @property
    def digest(self) -> str:
        """The digest of the bytes read so far, such as sha256:…."""
        return f"{self._hash.name}:{self._hash.hexdigest()}"


def most_unpacked(size: int) -> int:
    """Return the limit of unpacked bytes for a blob of *size* bytes."""
    return min(MOST_UNPACKED, max(_FREE, _RATIO * size))
