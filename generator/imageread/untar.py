# SPDX-License-Identifier: Apache-2.0
"""Read untrusted tars from a stream, entry by entry, with limited memory.

The reader follows Go's archive/tar, which Windows' importers, containerd and most builders use. Python's tarfile
differs: it strips trailing slashes from names of directories, reads a PAX header of any size at once, and treats a
damaged header as the end of the tar.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final, Protocol, TypeVar

from ..oci.tar import BLOCK
from . import pax, tarheader
from .pax import SparseMap

MAX_HEADER: Final = 1 << 20  # bytes of a long name or of PAX records, archive/tar's limit
DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK = "5", "0", "1", "2"
GLOBAL: Final = "g"  # PAX records for all later entries; archive/tar returns it as an entry
_OLD_FILE, _OLD_SPARSE = "\0", "S"
_BEFORE: Final = frozenset("xgLK")  # kinds of headers that describe the next entry
_WITHOUT_DATA: Final = frozenset("123456")
_CHUNK: Final = 1 << 18  # bytes
_NOTHING: Final[Mapping[str, str]] = {}
_Number = TypeVar("_Number", int, int | None)
TarEntry = tarheader.TarEntry


class ByteStream(Protocol):
    """A source of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to *size* bytes, nothing only at the end."""

    def seek(self, offset: int, whence: int, /) -> int:
        """Skip *offset* bytes forward; called with *whence* 1 only, and only if the stream is seekable."""

    def seekable(self) -> bool:
        """Return whether the stream can seek."""


class TarError(ValueError):
    """A damaged tar; *offset* is in bytes from its start, *entry* is the name of the entry, if known."""

    def __init__(self, offset: int, message: str, entry: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.entry = entry


class TarReader:
    """Iterates over the entries of the tar in *stream*; read() returns data of the current entry.

    A sparse file is an error unless *sparse* is true; its size and data are then those of the expanded file, with
    holes as zeros. Raises TarError if archive/tar would refuse the tar, and passes on exceptions of the stream.
    """

    def __init__(self, stream: ByteStream, *, sparse: bool = False) -> None:
        self._stream = stream
        self._sparse = sparse
        self._at = 0  # bytes read
        self._end = 0  # end of the entry's stored data
        self._padding = 0  # bytes between the data and the next header
        self._map: SparseMap | None = None  # of the entry, if it is sparse
        self._read = 0  # bytes of its data that were read

    def __iter__(self) -> Iterator[TarEntry]:
        """Yield the entries in order, up to two blocks of zeros or the end of the stream."""
        records, long = _NOTHING, dict[str, str]()
        while (header := self._header()) is not None:
            if header.kind in _BEFORE:
                data = self._special(header)
                if header.kind in "LK":
                    long[header.kind] = tarheader.text(data)
                    continue
                records = self._records(data)
                if header.kind == "x":
                    continue
                name = records.get("path") or header.name
                entry = TarEntry(name, GLOBAL, 0, "", 0, 0, records, self._at, 0, None, None)
            else:
                entry = self._entry(header, records, long)
            records, long = _NOTHING, {}
            yield entry
            self._skip(self._end - self._at)

    @property
    def is_sparse(self) -> bool:
        """Whether the current entry is a sparse file, which can be larger than the tar."""
        return self._map is not None

    def read(self, size: int = _CHUNK) -> bytes:
        """Return up to *size* bytes of the current entry's data, and nothing at the end."""
        size = min(size, _CHUNK)
        if self._map is None:
            return self._exactly(min(size, self._end - self._at))
        holds, size = self._map.at(self._read, min(size, self._map.size - self._read))
        self._read += size
        return self._exactly(size) if holds else bytes(size)

    def _header(self) -> TarEntry | None:
        """Return the next header, or None at the end."""
        if len(self._up_to(self._padding)) < self._padding or not (block := self._up_to(BLOCK)):
            return None  # archive/tar does not need the last padding either
        if not any(block):
            following = self._up_to(BLOCK)
            if any(following):
                raise TarError(self._at, "a header follows one block of zeros; the end has two")
            if len(block) == BLOCK and len(following) in {0, BLOCK}:
                return None
            block = b""
        if len(block) < BLOCK:
            raise TarError(self._at, "the tar ends too early")
        try:
            return tarheader.parse(block, self._at)
        except ValueError as error:
            raise TarError(self._at - BLOCK, str(error)) from error

    def _special(self, header: TarEntry) -> bytes:
        """Return the data of a header that describes the next entry."""
        if not 0 <= header.size <= MAX_HEADER:
            message = f"a header of {header.size:,} bytes; archive/tar reads {MAX_HEADER:,} at most"
            raise TarError(self._at - BLOCK, message)
        data = self._exactly(header.size)
        self._end, self._padding, self._map = self._at, -header.size % BLOCK, None
        return data

    def _records(self, data: bytes) -> Mapping[str, str]:
        try:
            return pax.records(data)
        except ValueError as error:
            raise TarError(self._at - len(data), str(error)) from error

    def _entry(self, header: TarEntry, records: Mapping[str, str], long: Mapping[str, str]) -> TarEntry:
        """Return the entry of *header* with what its *records* and the *long* headers before it say."""
        name = long.get("L") or records.get("path") or header.name
        target = long.get("K") or records.get("linkpath") or header.target
        kind = header.kind
        if kind == _OLD_FILE:
            kind = DIRECTORY if name.endswith("/") else FILE
        at = self._at - BLOCK
        try:
            size = _size(header, kind, records)
            for key in ("uid", "gid"):
                _recorded(records, key, 0)
            modified = _recorded(records, "mtime", header.modified)
            accessed = _recorded(records, "atime", header.accessed)
            changed = _recorded(records, "ctime", header.changed)
            self._end, self._padding, self._map = self._at + size, -size % BLOCK, None
            if kind == _OLD_SPARSE or (records and any(key.startswith(pax.SPARSE) for key in records)):
                self._map = self._sparse_map(name, kind, size, records)
                name, size = self._map.name, self._map.size
        except TarError:
            raise
        except ValueError as error:
            raise TarError(at, str(error), name) from error
        return TarEntry(
            name, kind, size, target, header.time, header.mode, records, self._at, modified, accessed, changed
        )

    def _sparse_map(self, name: str, kind: str, size: int, records: Mapping[str, str]) -> SparseMap:
        """Return the map of a sparse file, in its records or at the start of its data."""
        if not self._sparse or kind == _OLD_SPARSE or kind in _WITHOUT_DATA:
            raise ValueError("a sparse file, which no layer has")

        def read(wanted: int) -> bytes:
            if wanted > self._end - self._at:
                raise ValueError("the map of a sparse file ends too early")
            return self._exactly(wanted)

        self._read = 0
        found = SparseMap(records, name, size, read)
        if kind == FILE and found.stored != self._end - self._at:
            raise ValueError("a sparse file does not have as much data as its map")
        return found

    def _exactly(self, size: int) -> bytes:
        data = self._up_to(size)
        if len(data) < size:
            raise TarError(self._at, "the tar ends too early")
        return data

    def _up_to(self, size: int) -> bytes:
        """Return *size* bytes, or fewer at the end of the stream."""
        parts = []
        while size > 0 and (part := self._stream.read(size)):
            parts.append(part)
            size -= len(part)
            self._at += len(part)
        return b"".join(parts)

    def _skip(self, size: int) -> None:
        if size > _CHUNK and self._stream.seekable():
            last = b""
            with contextlib.suppress(OSError, OverflowError, ValueError):  # too large for any file
                self._stream.seek(size - 1, 1)
                last = self._stream.read(1)  # seek() may go past the end
            if not last:
                raise TarError(self._at, "the tar ends too early")
            self._at += size
            return
        while size > 0:
            size -= len(self._exactly(min(size, _CHUNK)))


def _size(header: TarEntry, kind: str, records: Mapping[str, str]) -> int:
    """Return the number of bytes stored for an entry; raises ValueError."""
    size = _recorded(records, "size", header.size)
    if (header.kind not in _WITHOUT_DATA and header.size < 0) or (kind not in _WITHOUT_DATA and size < 0):
        raise ValueError("a size is negative")
    return 0 if kind in _WITHOUT_DATA else size


def _recorded(records: Mapping[str, str], key: str, own: _Number) -> int | _Number:
    """Return the number or time in the record *key*, or *own* without one; raises ValueError if it is invalid."""
    text = records.get(key)
    if not text:
        return own
    parse, noun = (pax.time, "a time") if key.endswith("time") else (pax.integer, "a number of 64 bits")
    number = parse(text)
    if number is None:
        raise ValueError(f"the PAX record {key} is not {noun}")
    return number
