# SPDX-License-Identifier: Apache-2.0
"""Streams of blobs that are hashed as they are read, and that end where a decompression bomb begins."""

import hashlib
import io
from typing import Final

from .untar import ByteStream

CHUNK: Final = 1 << 18  # bytes
MOST_UNPACKED: Final = 64 << 30  # bytes that a layer may unpack to
_FREE: Final = 1 << 30  # bytes that any layer may unpack to
_RATIO: Final = 200  # bytes that a byte of a larger one may unpack to; of whole Windows it is 2.5


class BombError(Exception):
    """A stream has more bytes than it may have."""


class HashingReader(io.RawIOBase):
    """The bytes of *stream*, hashed and counted; reading raises BombError beyond *most* of them."""

    def __init__(self, stream: ByteStream, algorithm: str = "sha256") -> None:
        super().__init__()
        self._stream, self._hash, self.size, self.most = stream, hashlib.new(algorithm), 0, MOST_UNPACKED
        self._name = algorithm

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Read up to as many bytes as *buffer* has; return how many, 0 at the end only."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._hash.update(data)
        self.size += len(data)
        if self.size > self.most:
            raise BombError
        return len(data)

    @property
    def digest(self) -> str:
        """The digest of the bytes read, as OCI writes it."""
        return f"{self._name}:{self._hash.hexdigest()}"


def most_unpacked(size: int) -> int:
    """Return how many bytes a layer may unpack to whose blob has *size* bytes, whatever its descriptor says."""
    return min(MOST_UNPACKED, max(_FREE, _RATIO * size))
