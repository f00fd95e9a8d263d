# SPDX-License-Identifier: Apache-2.0
"""Dump the bytes of a tar or hive by structure, with the name and value of each field."""

from collections.abc import Iterator, Sequence
from typing import Final

from ..base.errors import counted, printable
from ..hives import structures as s
from ..hives.spans import Part
from .regions import Region, Regions, zeros
from .spool import Stored
from .tree_lines import TreeLine

_STYLES: Final = {
    "tar header": "type",
    "base block": "title",
    "bin header": "title",
    "key": "key",
    "value": "name",
    "list": "word",
    "security": "bad",
    "data": "data",
}
_LEAST_ZEROS: Final = 3  # rows of zeros that are folded into one line
_ENDS: Final = frozenset({s.SECURITY, *s.LEAVES})  # their pointers lead to other keys


def dump(regions: Regions, ranges: Sequence[tuple[int, int]], row: int, base: int = 0) -> Iterator[TreeLine]:
    """Yield the lines for each of *ranges*, start and end in bytes, with *row* bytes per line.

    Printed offsets count from *base*.
    """
    digits = max(4, len(f"{len(regions.data):x}"))
    for start, end in ranges:
        at = start
        while at < end:
            region = regions.at(at)
            title = f"{region.structure.name}, {counted(region.length, 'byte')}"
            yield TreeLine(0, ((_STYLES.get(region.group, ""), f"0x{region.offset - base:0{digits}x}  {title}"),))
            for part in regions.parts(region):
                within = max(at, part.offset), min(end, part.offset + part.size)
                yield from _rows(regions.data, region, part, within, row, base)
            at = region.offset + region.length


def _rows(
    data: bytes | Stored, region: Region, part: Part, within: tuple[int, int], row: int, base: int
) -> Iterator[TreeLine]:
    """Yield the rows of the part of a field *within* two offsets; the first row has the field's name and value."""
    at, end = within
    field = (("name", part.field.name), ("data", printable(part.text)))
    while at < end:
        raw = data[at : min(at + row, end)]
        blank = zeros(data, at, end) // row if not raw.strip(b"\0") else 0
        if blank >= _LEAST_ZEROS:
            size = blank * row
            shown = [("", f"{size:,} zeros".ljust(4 * row - 1 + 2))]
        else:
            size = len(raw)
            characters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in raw)
            shown = [(_STYLES.get(region.group, ""), raw.hex(" ").ljust(3 * row - 1)), ("", characters.ljust(row))]
        yield TreeLine(1, (("", f"{at - base:08x}"), *shown, *field), remark=True)
        at += size
        field = (("name", ""), ("data", ""))


def key_ranges(regions: Regions, hive: int, key: int) -> list[tuple[int, int]]:
    """Return the ranges, sorted, of the structures of the key at offset *key* in the hive that begins at *hive*.

    These are its record and all that it points to except other keys: lists, values, their data, the security record.
    """
    first = regions.at(hive + key - 4)
    found: dict[int, Region] = {}
    todo = [first]
    while todo:
        region = todo.pop()
        if region.offset in found:
            continue
        found[region.offset] = region
        if region is not first and region.structure in _ENDS:
            continue
        for part in regions.parts(region):
            if part.field.shown == "pointer" and isinstance(part.value, int) and part.value != s.NIL:
                at = hive + s.BASE + part.value
                if at < len(regions.data) and regions.at(at).offset == at and regions.at(at).structure is not s.KEY:
                    todo.append(regions.at(at))
    return [(at, at + region.length) for at, region in sorted(found.items())]
