# SPDX-License-Identifier: Apache-2.0
"""Reader of gzip (RFC 1952) that takes what Go's compress/gzip takes, with which containerd and Docker read layers.

Python's gzip does not check a header's own checksum, and passes over zeros behind the last member; zlib refuses flags
that RFC 1952 reserves, which Go ignores.
"""

import io
import zlib
from typing import Final

_CHUNK: Final = 1 << 18  # bytes
_FIRST: Final = 1 << 9  # bytes that are unpacked at first, lest many small members cost much
_CHECKED, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16  # flags of what is in a header
_PLAIN: Final = b"\x1f\x8b\x08" + bytes(7)  # a header without anything
_CAREFUL: Final = 1 << 16  # bytes that are unpacked at once before the damage in them is looked for
_MAX_TEXT: Final = 512  # bytes of a name or comment, its zero included, that compress/gzip reads
_MAX_HEADER: Final = 12 + (1 << 16) + 2 * _MAX_TEXT  # bytes of the longest header that is read


class GzipReader(io.RawIOBase):
    """What all members of the gzip file *blob* hold.

    Reading raises zlib.error or OSError where the file is damaged, EOFError where it ends too early. With
    *careful*, all bytes before the damage are read first, which takes longer.
    """

    def __init__(self, blob: io.BufferedReader, *, careful: bool = False) -> None:
        """Begin at the place where *blob* is."""
        super().__init__()
        self._blob, self._data, self._at, self._step = blob, b"", 0, _FIRST
        self._before, self._careful, self._most = 0, careful, _CAREFUL if careful else _CHUNK
        self._member: zlib._Decompress | None = None
        self._begins = True

    @property
    def offset(self) -> int:
        """How many bytes of the gzip file were unpacked."""
        return self._before + self._at

    def readable(self) -> bool:
        """Tell that this can be read."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Read up to as many bytes as *buffer* has; return how many, 0 at the end only."""
        if self._begins:  # not earlier, so that whoever opens a damaged file can say so as they read it
            self._member = None if self._ended() else self._begun()
            self._begins = False
        while self._member is not None and len(buffer):
            if self._member.eof:
                self._member = None if self._ended() else self._begun()
                continue
            ended = self._ended()
            given = self._data[self._at : self._at + self._step]
            spare = self._member.copy() if self._careful else None
            try:
                part = self._member.decompress(given, len(buffer))
            except zlib.error:
                if spare is None:
                    raise
                # None of these bytes was unpacked: take them one by one.
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
        """Tell whether nothing is left, after reading on where nothing is at hand."""
        if self._at >= len(self._data):
            self._before += len(self._data)
            self._data, self._at = self._blob.read(_CHUNK), 0
        return not self._data

    def _begun(self) -> "zlib._Decompress":
        """Return what unpacks the member that begins here, once its header is read as compress/gzip reads one."""
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
        member = zlib.decompressobj(wbits=31)  # which checks what is unpacked, too
        member.decompress(_PLAIN)
        return member
