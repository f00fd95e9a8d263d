# SPDX-License-Identifier: Apache-2.0
"""Divide a layer's tar or a hive into regions: the structure that each byte belongs to, and its fields.

A tar is a sequence of entries: a header of 512 bytes, possibly preceded by extension headers, the content of a file,
and zeros up to the next multiple of 512. Content that begins like a hive is parsed by hives.reader, and its spans
become regions. Regions follow each other without gaps from the first byte to the last; a bare hive is an entry without
a header. Offsets and lengths are in bytes.

Source of the header: IEEE Std 1003.1, pax, "ustar Interchange Format".
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ..hives import structures as s
from ..hives.reader import Node, Visit, read
from ..hives.reader import Reading as HiveReading
from ..hives.spans import Part, Span, Spans, make_part
from ..imageread import untar
from ..imageread.untar import TarError, TarReader
from ..oci.tar import BLOCK
from .spool import CHUNK, Stored, StoredReader
from .unpacked_layers import MAX_HIVE, Damage, is_hive

_HEAD: Final = s.BASE + 4  # bytes needed to recognize a hive


def _text(name: str, size: int, meaning: str = "") -> s.Field:
    return s.Field(name, f"{size}s", meaning, "utf-8")


TAR_HEADER: Final = s.Structure(
    "tar header",
    fields=(
        _text("name", 100, "the path, or its end if there is a prefix"),
        _text("mode", 8, "permissions, in octal digits"),
        _text("owner", 8, "the number of a user, in octal digits"),
        _text("group", 8, "the number of a group, in octal digits"),
        _text("size", 12, "bytes of content, in octal digits"),
        _text("time", 12, "of the last change, in seconds since 1970, in octal digits"),
        _text("checksum", 8, "sum of the header's bytes with these as blanks, in octal digits"),
        s.Field(
            "type",
            "1s",
            "0 a file, 1 a hard link, 2 a symbolic link, 5 a directory, g and x records that add to headers",
            "latin-1",
        ),
        _text("link", 100, "the path that a link leads to"),
        _text("magic", 6, "'ustar'"),
        _text("version", 2),
        _text("owner's name", 32),
        _text("group's name", 32),
        _text("device, major", 8),
        _text("device, minor", 8),
        _text("prefix", 155, "the path up to the name"),
        s.Field("unused", "12s", "", "bytes"),
    ),
    cell=False,
)
TAR_RECORDS: Final = s.Structure("tar records", cell=False)  # PAX records and long names, with their headers
CONTENT: Final = s.Structure("file content", cell=False)
PADDING: Final = s.Structure("tar padding", cell=False)
TAR_END: Final = s.Structure("end of the tar", cell=False)  # at least two blocks of zeros

# Groups of structures that share a colour, by name.
GROUPS: Final[Mapping[str, tuple[s.Structure, ...]]] = {
    "tar header": (TAR_HEADER, TAR_RECORDS),
    "base block": (s.BASE_BLOCK,),
    "bin header": (s.BIN,),
    "key": (s.KEY,),
    "value": (s.VALUE,),
    "list": (s.SUBKEYS, *s.LEAVES, s.VALUES, s.SEGMENTS, s.BIG_DATA),
    "security": (s.SECURITY,),
    "data": (s.DATA, s.SEGMENT_DATA, s.CLASS),
    "free": (s.FREE,),
    "padding": (PADDING, TAR_END, s.REST),
    "content": (CONTENT,),
    "unread": (s.UNREAD, s.USED),
}
GROUP_OF: Final[Mapping[s.Structure, str]] = {kind: name for name, kinds in GROUPS.items() for kind in kinds}


@dataclass(frozen=True, slots=True)
class Region(Span):
    """A structure in the tar; its offset, and that of the pointer to it, are those in the tar."""

    @property
    def group(self) -> str:
        """The name of its group."""
        return GROUP_OF[self.structure]


@dataclass(frozen=True, slots=True)
class MappedEntry:
    """An entry of a tar, or a bare hive: the offsets of its first header and its content, and the content's size.

    *tar_entry* is None for a bare hive, whose two offsets are equal. *nodes* are the keys of its hive and *reading* the
    findings there; both are None if the content is not a hive.
    """

    offset: int
    content: int
    size: int
    tar_entry: untar.TarEntry | None
    nodes: tuple[Node, ...] | None
    reading: HiveReading | None

    @property
    def path(self) -> str:
        """Its path in the tar without a trailing slash, empty for a bare hive."""
        return self.tar_entry.name.rstrip("/") if self.tar_entry else ""


class Regions:
    """The regions of a tar or hive in the order of its bytes; those of hives stay packed as spans.

    *damage* is the damage that ends the tar early, or None. If *lazy*, at() and parts() parse hives on demand and keep
    one at a time; by index, each hive is then one region, and its entry has no keys.
    """

    def __init__(self, data: bytes | Stored, *, lazy: bool = False) -> None:
        """Parse *data*, a tar or a bare hive, up to its damage."""
        self._lazy = lazy
        self._last: tuple[range, Spans] | None = None
        self.data = data
        self.entries: list[MappedEntry] = []
        self.damage: Damage | None = None
        self._firsts = array("Q")  # of each block, the index of its first region
        self._offsets = array("Q")
        self._blocks: list[s.Structure | Spans | range] = []  # a range is a hive to parse on demand
        self._count = 0
        if is_hive(data[:_HEAD]):
            self._add_entry(0, 0, len(data), None)
        else:
            self._read_tar()

    def __iter__(self) -> Iterator[Region]:
        return map(self.__getitem__, range(self._count))

    def __getitem__(self, index: int) -> Region:
        """Return a region by its index, which is not negative."""
        block = bisect_right(self._firsts, index) - 1
        what = self._blocks[block]
        return self._region(block, what[index - self._firsts[block]] if isinstance(what, Spans) else None)

    def _region(self, block: int, span: Span | None) -> Region:
        """Return the region of a *block*, or of a *span* in the hive of that block."""
        start, what = self._offsets[block], self._blocks[block]
        if span is not None:
            return Region(start + span.offset, span.length, span.structure, span.owner and start + span.owner)
        end = self._offsets[block + 1] if block + 1 < len(self._offsets) else len(self.data)
        return Region(start, end - start, what if isinstance(what, s.Structure) else CONTENT, 0)

    def _found(self, offset: int) -> tuple[int, s.Structure | Spans]:
        """Return the index of the block at *offset* and its structure or spans."""
        block = bisect_right(self._offsets, offset) - 1
        what = self._blocks[block]
        if not isinstance(what, range):
            return block, what
        if self._last is None or self._last[0] != what:
            self._last = None  # free it before the next is parsed
            self._last = what, spans_of(self.data[what.start : what.stop])
        return block, self._last[1]

    def index(self, offset: int) -> int:
        """Return the index of the region that contains *offset*."""
        block = bisect_right(self._offsets, offset) - 1
        what, first = self._blocks[block], self._firsts[block]
        return first + (what.index_at(offset - self._offsets[block]) if isinstance(what, Spans) else 0)

    def at(self, offset: int) -> Region:
        """Return the region that contains *offset*."""
        block, what = self._found(offset)
        return self._region(block, what.at(offset - self._offsets[block]) if isinstance(what, Spans) else None)

    def parts(self, region: Region) -> Iterator[Part]:
        """Yield the fields of *region*, from its first byte to its last, with offsets in the tar."""
        block, what = self._found(region.offset)
        start = self._offsets[block]
        if isinstance(what, Spans):
            found = what.parts(what.at(region.offset - start))
        else:
            raw = self.data[start : start + min(region.length, BLOCK)]  # the value of a longer field is its beginning
            found = field_parts(what.fields or (s.Field("bytes", f"{region.length}s", "", "bytes"),), raw)
        for part in found:
            yield replace(part, offset=start + part.offset)

    def shape(self, region: Region) -> int:
        """Return Spans.shape() of *region*, on which its fields depend, as one number.

        That is the count times 4, plus 2 if data is in place, plus 1 if a name is in Latin-1.
        """
        block, what = self._found(region.offset)
        if not isinstance(what, Spans):
            return 0
        count, in_place, latin = what.shape(what.at(region.offset - self._offsets[block]))
        return min(count, region.length + 1) << 2 | in_place << 1 | latin  # a higher count would not fit either

    def _add(self, offset: int, what: s.Structure | Spans | range) -> None:
        """Append a block that begins at *offset*, where the one before ends."""
        self._firsts.append(self._count)
        self._offsets.append(offset)
        self._blocks.append(what)
        self._count += len(what) if isinstance(what, Spans) else 1

    def _add_entry(self, offset: int, content: int, size: int, tar_entry: untar.TarEntry | None) -> None:
        size = max(0, min(size, len(self.data) - content))
        hive = size <= MAX_HIVE and is_hive(self.data[content : content + min(size, _HEAD)])
        nodes = reading = None
        if hive and not self._lazy:
            visit = Visit(self.data[content : content + size], spans=True)
            nodes, reading = tuple(visit.nodes()), visit.reading()
        self.entries.append(MappedEntry(offset, content, size, tar_entry, nodes, reading))
        if hive and self._lazy:
            self._add(content, range(content, content + size))
        elif size:
            self._add(content, reading.spans if reading and reading.spans else CONTENT)

    def _read_tar(self) -> None:
        end = 0
        try:
            for entry in TarReader(StoredReader(self.data)):
                if entry.kind != untar.GLOBAL:
                    end = self._add_tar_entry(entry, end)
        except TarError as error:
            self.damage = Damage("tar", error.offset, str(error))
        count = zeros(self.data, end, len(self.data))
        if end + count < len(self.data):
            count = 2 * BLOCK if count >= 2 * BLOCK else 0
        if count:
            self._add(end, TAR_END)
        if end + count < len(self.data):
            self._add(end + count, s.UNREAD)

    def _add_tar_entry(self, entry: untar.TarEntry, end: int) -> int:
        """Add an entry whose first header begins at *end*; return the end of its padding or of the tar."""
        header = entry.offset - BLOCK
        if header > end:
            self._add(end, TAR_RECORDS)
        self._add(header, TAR_HEADER)
        self._add_entry(end, entry.offset, entry.size, entry)
        after = min(entry.offset + entry.size, len(self.data))
        padding = min(-entry.size % BLOCK, len(self.data) - after)
        if padding:
            self._add(after, PADDING)
        return after + padding


def field_parts(fields: Iterable[s.Field], raw: bytes) -> Iterator[Part]:
    """Yield the *fields* of *raw*, one after the other."""
    at = 0
    for field in fields:
        yield make_part(field, raw, at)
        at += field.size


def spans_of(hive: bytes) -> Spans:
    """Return the structures of a *hive*."""
    spans = read(hive, spans=True).spans
    if spans is None:
        raise RuntimeError("read(spans=True) returned no spans")
    return spans


def zeros(data: bytes | Stored, at: int, end: int) -> int:
    """Return the length of the run of zeros in *data* that begins at *at*, up to *end*."""
    here = at
    while here < end:
        block = data[here : min(here + CHUNK, end)]
        rest = block.lstrip(b"\0")
        here += len(block) - len(rest)
        if rest:
            break
    return here - at
