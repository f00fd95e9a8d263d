# SPDX-License-Identifier: Apache-2.0
"""Gzip reader (RFC 1952) that accepts the same files as Go's compress/gzip, which containerd and Docker use.

Python's gzip does not check the header's CRC-16, and ignores zeros after the last member; zlib refuses the header
flags that RFC 1952 reserves, which Go ignores.
"""

import io
import zlib
from typing import Final

_CHUNK: Final = 1 << 18  # bytes
_FIRST: Final = 1 << 9  # compressed bytes passed to zlib first for each member: small members stay cheap
_CHECKED, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16  # flags of a header
_PLAIN: Final = b"\x1f\x8b\x08" + bytes(7)  # a header without optional fields
_CAREFUL: Final = 1 << 16  # most compressed bytes passed to zlib at once with *careful*
_MAX_TEXT: Final = 512  # bytes of a name or comment, with its NUL, that compress/gzip reads
_MAX_HEADER: Final = 12 + (1 << 16) + 2 * _MAX_TEXT  # bytes of the longest header


class GzipReader(io.RawIOBase):
    """The data in all members of the gzip file *blob*.

    Reading raises zlib.error or OSError if the file is damaged, EOFError if it ends too early. With *careful*, all
    bytes before the damage are returned first, which is slower.
    """

    def __init__(self, blob: io.BufferedReader, *, careful: bool = False) -> None:
        """Start at *blob*'s current position."""
        super().__init__()
        self._blob, self._data, self._at, self._step = blob, b"", 0, _FIRST
        self._before, self._careful, self._most = 0, careful, _CAREFUL if careful else _CHUNK
        self._member: zlib._Decompress | None = None  # None before the first read, which raises for a damaged header

    @property
    def offset(self) -> int:
        """Number of bytes of the gzip file that are decompressed so far."""
        return self._before + self._at

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        while len(buffer):
            ended = self._ended()
            if self._member is None or self._member.eof:
                if ended:
                    break
                self._member = self._begun()
                continue
            given = self._data[self._at : self._at + self._step]
            spare = self._member.copy() if self._careful else None
            try:
                part = self._member.decompress(given, len(buffer))
            except zlib.error:
                if spare is None:
                    raise
                # None of these bytes was decompressed: try them one by one.
                self._member, self._careful, self._step, self._most = spare, False, 1, 1
                continue
            left = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            self._at += len(given) - len(left)
            self._step = min(2 * self._step, self._most)
            if part:
                buffer[: len(part)] = part
                return len(part)
            if ended and not self._member.eof:
                raise EOFError("gzip ends too early")
        return 0

    def _ended(self) -> bool:
        """Return whether no compressed data is left; refill an empty buffer first."""
        if self._at >= len(self._data):
            self._before += len(self._data)
            self._data, self._at = self._blob.read(_CHUNK), 0
        return not self._data

    def _begun(self) -> "zlib._Decompress":
        """Read the header of the next member as compress/gzip does; return its decompressor."""
        if len(self._data) - self._at < _MAX_HEADER:
            self._before += self._at
            self._data, self._at = self._data[self._at :] + self._blob.read(_CHUNK), 0
        self._step = min(_FIRST, self._most)
        start, at = self._at, self._at + len(_PLAIN)
        if len(self._data) < at:
            raise EOFError("gzip ends too early")
        if self._data[start : start + 3] != _PLAIN[:3]:
            raise OSError("invalid gzip header")
        flags = self._data[start + 3]
        if flags & _EXTRA:
            at += 2 + int.from_bytes(self._data[at : at + 2], "little")
        for flag in (_NAME, _COMMENT):
            if flags & flag:
                end = self._data.find(0, at, at + _MAX_TEXT)
                if end < 0:
                    raise OSError(f"a name or comment in gzip's header has {_MAX_TEXT:,} bytes or more, or no end")
                at = end + 1
        if flags & _CHECKED:
            at += 2
            if zlib.crc32(self._data[start : at - 2]) & 0xFFFF != int.from_bytes(self._data[at - 2 : at], "little"):
                raise OSError("gzip's header does not match its checksum")
        if len(self._data) < at:
            raise EOFError("gzip ends too early")
        self._at = at
        member = zlib.decompressobj(wbits=31)  # which also checks the CRC-32
        member.decompress(_PLAIN)
        return member
