# SPDX-License-Identifier: Apache-2.0
"""Reader of any tar, entry by entry from a stream, for what others made: nothing in one makes it hold much memory.

It reads a header as Go's archive/tar does, with which Windows, containerd and most builders read layers: ustar, PAX and
GNU's long names and large numbers. Python's tarfile takes slashes off the names of directories, which Windows does
not, reads a PAX header of any size at once, and takes a broken header for the end.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from ..oci.tar import BLOCK

MAX_HEADER: Final = 1 << 20  # bytes of a long name or of PAX records, as archive/tar has it
DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK = "5", "0", "1", "2"
GLOBAL: Final = "g"  # PAX records for all that follow, which archive/tar gives its caller as an entry
_WITHOUT_DATA: Final = frozenset("123456")
_USTAR: Final = b"ustar\x0000"
_GNU: Final = b"ustar  \0"
_WITHOUT_NUL: Final = frozenset({b"path", b"linkpath", b"uname", b"gname"})
_CHUNK: Final = 1 << 18  # bytes
_RECORD: Final = re.compile(rb"([1-9][0-9]{0,7}) ")


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to *size* bytes, none at the end only."""

    def seek(self, offset: int, whence: int, /) -> int:
        """Go *offset* bytes on, where *whence* is 1 and the stream is seekable."""

    def seekable(self) -> bool:
        """Tell whether the stream can seek."""


class TarError(ValueError):
    """A tar cannot be read on; *offset* is where, in bytes from its start."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


class Entry(NamedTuple):
    """An entry of a tar: *kind* is tar's type, *name* and *target* are as they stand there, slashes at ends included.

    Text that is not UTF-8 has surrogates for its bytes. *time* is the time of modification of the header, in seconds
    from 1970; *records* are the PAX records. *offset* counts bytes from the start of the tar to the entry's data.
    """

    name: str
    kind: str
    size: int
    target: str
    time: int
    mode: int
    records: Mapping[str, str]
    offset: int


class Untar:
    """The entries of a tar that *stream* holds; read() gives the data of the one that came last.

    Raises TarError where the tar is damaged or ends too early, and whatever the stream raises.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._at = 0  # bytes read
        self._end = 0  # where the data of the entry ends

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries in their order, up to two blocks of zeros or the end of the stream."""
        records: Mapping[str, str] = {}
        long: dict[str, str] = {}
        while (block := self._header()) is not None:
            kind = chr(block[156])
            if kind in "xgLK":
                self._check_numbers(block)
                size = self._number(block[124:136])
                if size < 0:
                    raise TarError(self._at - BLOCK, "a size is negative")
                if size > MAX_HEADER:
                    raise TarError(self._at - BLOCK, f"a header of {size:,} bytes is more than archive/tar reads")
                data = self._exactly(size)
                self._exactly(-size % BLOCK)
                if kind == "x":
                    records = _records(data, self._at)
                elif kind == GLOBAL:
                    name, self._end = _text(block[:100]), self._at
                    yield Entry(name, kind, 0, "", 0, 0, _records(data, self._at), self._at)
                else:
                    long["name" if kind == "L" else "target"] = _text(data)
                continue
            entry = self._entry(block, records, long)
            records, long = {}, {}
            self._end = self._at + entry.size
            yield entry
            self._skip(self._end - self._at)
            self._exactly(-self._end % BLOCK)

    def read(self, size: int = _CHUNK) -> bytes:
        """Return up to *size* bytes of the data of the entry that came last, and nothing at their end."""
        return self._exactly(min(size, self._end - self._at, _CHUNK))

    def _header(self) -> bytes | None:
        """Return the next header, or None at the end."""
        block = self._stream.read(BLOCK)
        if not block:
            return None
        self._at += len(block)
        block += self._exactly(BLOCK - len(block))
        if not any(block):
            following = self._stream.read(BLOCK)
            self._at += len(following)
            if any(following):
                raise TarError(self._at, "a header follows one block of zeros, where the end has two")
            return None
        summed, wanted = block[:148] + b" " * 8 + block[156:], self._number(block[148:156])
        total = sum(summed)
        if wanted != total and wanted != total - 256 * sum(byte > 127 for byte in summed):  # as signed bytes
            raise TarError(self._at - BLOCK, "no header of a tar: its checksum is wrong")
        return block

    def _entry(self, block: bytes, records: Mapping[str, str], long: Mapping[str, str]) -> Entry:
        name, kind = _text(block[:100]), chr(block[156])
        if block[257:265] == _USTAR and (prefix := _text(block[345:500])):
            name = f"{prefix}/{name}"
        name = long.get("name") or records.get("path") or name
        target = long.get("target") or records.get("linkpath") or _text(block[157:257])
        if kind == "S" or any(key.startswith("GNU.sparse.") for key in records):
            raise TarError(self._at - BLOCK, "a sparse file, which no layer has")
        if kind in {"\0", "7"}:
            kind = DIRECTORY if kind == "\0" and name.endswith("/") else FILE
        self._check_numbers(block)
        size = self._number(block[124:136])
        size = 0 if kind in _WITHOUT_DATA else size
        if kind not in _WITHOUT_DATA and (digits := records.get("size")):
            if not re.fullmatch("[0-9]{1,18}", digits):
                raise TarError(self._at - BLOCK, "the size is no number that a file can have")
            size = int(digits)
        if size < 0:
            raise TarError(self._at - BLOCK, "a size is negative")
        for key in ("uid", "gid"):
            if (text := records.get(key)) and not (re.fullmatch("[+-]?[0-9]{1,40}", text) and _is_64(int(text))):
                raise TarError(self._at - BLOCK, f"the PAX record {key} is no number of 64 bits")
        time, mode = self._number(block[136:148]), self._number(block[100:108])
        return Entry(name, kind, size, target, time, mode, records, self._at)

    def _check_numbers(self, block: bytes) -> None:
        """Raise TarError where a number is damaged that only archive/tar asks for: it refuses the tar then."""
        for start, end in ((108, 116), (116, 124)):  # user and group
            self._number(block[start:end])
        if block[257:265] in {_USTAR, _GNU}:
            for start, end in ((329, 337), (337, 345)):  # device
                self._number(block[start:end])

    def _number(self, field: bytes) -> int:
        """Return what a numeric field says: octal digits, or where the first bit is set, GNU's binary."""
        if field[0] & 0x80:
            number = int.from_bytes(field, "big", signed=field[0] & 0x40 != 0)
            if field[0] & 0x40 == 0:
                number &= (1 << (8 * len(field) - 1)) - 1
        else:
            digits = field.strip(b" \0").partition(b"\0")[0]
            if not re.fullmatch(b"[0-7]*", digits):
                raise TarError(self._at - BLOCK, "no header of a tar: a number is not octal")
            number = int(digits or b"0", 8)
        if not _is_64(number):
            raise TarError(self._at - BLOCK, "a number has more than 64 bits")
        return number

    def _exactly(self, size: int) -> bytes:
        parts, left = [], size
        while left > 0:
            part = self._stream.read(left)
            if not part:
                raise TarError(self._at, "the tar ends too early")
            parts.append(part)
            left -= len(part)
            self._at += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _skip(self, size: int) -> None:
        if size > _CHUNK and self._stream.seekable():
            try:
                self._stream.seek(size - 1, 1)
                last = self._stream.read(1)  # which must be there
            except (OSError, OverflowError, ValueError) as error:  # no file can be so large
                raise TarError(self._at, "the tar ends too early") from error
            if not last:
                raise TarError(self._at, "the tar ends too early")
            self._at += size
            size = 0
        while size > 0:
            size -= len(self._exactly(min(size, _CHUNK)))


def _is_64(number: int) -> bool:
    return -1 << 63 <= number < 1 << 63


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _records(data: bytes, at: int) -> dict[str, str]:
    """Return PAX records: each is its length in bytes, a space, key, `=`, value and a line feed."""
    found: dict[str, str] = {}
    here = 0
    while here < len(data):
        head = _RECORD.match(data, here)
        end = here + int(head[1]) if head else 0
        key, equals, value = data[head.end() : end - 1].partition(b"=") if head else (b"", b"", b"")
        if not key or not equals or b"\0" in key or end > len(data) or data[end - 1 : end] != b"\n":
            raise TarError(at, "the PAX records are damaged")
        if key in _WITHOUT_NUL and b"\0" in value:
            raise TarError(at, f"the PAX record {key.decode()} has a NUL")
        found[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        here = end
    return found
