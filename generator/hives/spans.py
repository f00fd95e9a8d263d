# SPDX-License-Identifier: Apache-2.0
"""Assign every byte of a hive to a structure and a field, and decode the fields.

The reader's map of cells already holds the start and the kind of each structure. A span is one structure; spans follow
each other without gaps from the first byte of the file to the last. Fields are decoded from the table of structures on
demand.
"""

import datetime
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress, pairwise
from typing import Final, overload

from . import structures as s
from .cells import Buffer, Walk

CELL_SIZE: Final = s.Field("cell size", "i", "in bytes, negative while the cell is in use")
UNUSED: Final = s.Field("unused", "s", "", "bytes")
IN_PLACE: Final = s.Field("data", "4s", "in place of a pointer", "bytes")
_LATIN_1: Final = {s.KEY.name: s.KEY_COMPRESSED, s.VALUE.name: s.VALUE_COMPRESSED}  # bit of the flags
_SINCE: Final = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)
_SHORT: Final = 16  # bytes that a text shows of data


@dataclass(frozen=True, slots=True)
class Span:
    """A structure in the file: its offset and length in bytes, and the offset of the pointer to it, or 0."""

    offset: int
    length: int
    structure: s.Structure
    owner: int


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a span: its offset and size in the file in bytes, and its value, an integer or bytes.

    *text* is the value decoded; it may contain any character that a hive can hold.
    """

    field: s.Field
    offset: int
    size: int
    value: int | bytes
    text: str


class Spans(Sequence[Span]):
    """The spans of a hive in the order of the file, kept in packed arrays: 9 bytes for each."""

    def __init__(self, walk: Walk) -> None:
        """Take the spans from a finished walk that recorded owners."""
        self._data: Buffer = walk.data
        size, cells = len(walk.data), walk.cells
        held = size if walk.length == 0 else min(size, s.BASE + walk.length)
        block = [(0, s.BASE_BLOCK)] if walk.length else []
        behind = [(s.BASE + walk.known if walk.length else 0, s.UNREAD), (held, s.REST), (size, s.REST)]
        behind = [(at, kind) for (at, kind), (end, _) in pairwise(behind) if at < end]
        self._offsets = array("I", [at for at, _ in block])
        self._offsets.extend(compress(range(s.BASE, s.BASE + 8 * len(cells), 8), cells))
        self._offsets.extend(at for at, _ in behind)
        self._kinds = bytes(s.NUMBERS[kind] for _, kind in block) + cells.translate(None, b"\0")
        self._kinds += bytes(s.NUMBERS[kind] for _, kind in behind)
        self._owners = array("I", bytes(4 * len(block)))
        self._owners.extend(compress(walk.owners or (), cells))
        self._owners.frombytes(bytes(4 * len(behind)))

    def __len__(self) -> int:
        """Return the number of structures."""
        return len(self._offsets)

    @overload
    def __getitem__(self, index: int) -> Span: ...
    @overload
    def __getitem__(self, index: slice) -> list[Span]: ...
    def __getitem__(self, index: int | slice) -> Span | list[Span]:
        """Return one span, or those of a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = self._offsets[index]
        after = index % len(self) + 1
        end = self._offsets[after] if after < len(self) else len(self._data)
        return Span(at, end - at, s.KINDS[self._kinds[index]], self._owners[index])

    def at(self, offset: int) -> Span:
        """Return the span of the byte at *offset* in the file; raise IndexError if the offset is outside the file."""
        if not 0 <= offset < len(self._data):
            raise IndexError(offset)
        return self[self.index_at(offset)]

    def index_at(self, offset: int) -> int:
        """Return the index of the span of the byte at *offset* in the file."""
        return bisect_right(self._offsets, offset) - 1

    def locate(self, offset: int) -> tuple[Span, Part]:
        """Return the span and the field of the byte at *offset* in the file."""
        span = self.at(offset)
        return span, next(part for part in self.parts(span) if offset < part.offset + part.size)

    def parts(self, span: Span) -> Iterator[Part]:
        """Yield the fields of *span* that fit into it, from its first byte to its last, then its unused rest."""
        at, end = span.offset, span.offset + span.length
        for field in self._fields(span):
            size = field.size
            if at + size > end:
                break
            if size:
                yield make_part(field, self._data, at)
            at += size
        if at < end:
            yield make_part(replace(UNUSED, code=f"{end - at}s"), self._data, at)

    def shape(self, span: Span) -> tuple[int, bool, bool]:
        """Return what determines the fields of *span*.

        That is the number of entries in its tail, or of bytes; whether the record holds the data in place of a pointer;
        and whether its name is in Latin-1.
        """
        kind = span.structure
        in_place = kind is s.VALUE and bool((self._number(span, "data size") or 0) & s.INLINE)
        count = self._count(span, kind.tail.count) if kind.tail else 0
        return count, in_place, bool((self._number(span, "flags") or 0) & _LATIN_1.get(kind.name, 0))

    def _fields(self, span: Span) -> Iterator[s.Field]:
        kind = span.structure
        count, in_place, latin = self.shape(span)
        if kind.cell:
            yield CELL_SIZE
        for field in kind.fields:
            yield IN_PLACE if in_place and field.name == "data" else field
        if kind.tail is None:
            return
        for field in kind.tail.fields:
            if field.code == "s":
                yield replace(field, code=f"{count}s", shown="latin-1" if latin else field.shown)
                return
        for _ in range(count):
            yield from kind.tail.fields

    def _count(self, span: Span, name: str) -> int:
        """Return the number in field *name* of *span*, or of the nearest structure above it that has the field."""
        above, entry = span, 0
        while (found := self._number(above, name)) is None:
            if above.owner == 0:
                return 0
            entry, above = entry or above.owner, self.at(above.owner)
        if span.structure is s.SEGMENT_DATA:
            first = self.at(entry).offset + 4
            return max(0, min(s.SEGMENT, found - (entry - first) // 4 * s.SEGMENT))
        return found

    def _number(self, span: Span, name: str) -> int | None:
        """Return the number in field *name* of *span*, or None if it has none."""
        at = span.structure.offsets.get(name)
        if at is None:
            return None
        field = next(field for field in span.structure.fields if field.name == name)
        at += span.offset + (4 if span.structure.cell else 0)
        return int.from_bytes(self._data[at : min(at + field.size, span.offset + span.length)], "little")


def make_part(field: s.Field, data: Buffer, at: int) -> Part:
    """Return the decoded *field* at byte *at* of *data*."""
    raw = data[at : at + field.size]
    value: int | bytes = raw
    if not field.code.endswith("s"):
        value = int.from_bytes(raw, "little", signed=field.code.islower())
    return Part(field, at, field.size, value, _text(field, value))


def _text(field: s.Field, value: int | bytes) -> str:
    if isinstance(value, bytes):
        if field.shown == "bytes":
            return value[:_SHORT].hex(" ") + (" …" if len(value) > _SHORT else "")
        return value.decode(field.shown, "replace").rstrip("\0")
    number = f"{value:,}" if field.shown == "number" else f"0x{value:x}"
    if field.shown == "flags":
        words = ", ".join(name for bit, name in field.names.items() if value & bit)
    elif field.shown == "time":
        words = time_text(value)
    elif field.shown == "pointer":
        words = "nowhere" if value == s.NIL else ""
    else:
        words = field.names.get(value, "")
    return f"{number} ({words})" if words else number


def time_text(ticks: int) -> str:
    """Return *ticks* of 100 ns since 1601 as an ISO 8601 time; an empty string for 0 or beyond datetime's range."""
    try:
        return (_SINCE + datetime.timedelta(microseconds=ticks // 10)).isoformat() if ticks else ""
    except OverflowError:
        return ""
