# SPDX-License-Identifier: Apache-2.0
"""What a report shows of tars and hives, as the JSON that its page reads: bytes, regions, trees, findings, a tour.

The page takes no hive apart. It is told where each structure is, how often what follows its fields comes, and the
table of fields, all of which are the reader's, and writes a field's value as the spans do. Whatever it shows of names
and values is made fit for one line there, and cut.
"""

import base64
import re
from array import array
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ..hives import spans as fields
from ..hives import structures as s
from ..hives.model import Value
from ..hives.spans import Spans
from .colours import LOOKS
from .regions import GROUPS, Entry, Regions

MOST_TEXT: Final = 160  # characters of a name or of data that a tree shows
MOST_CONTENT: Final = 4096  # bytes that are shown of a file that is no hive
_ZEROS: Final = re.compile(rb"\0{32,}")
_STRUCTURES: Final = tuple(structure for kinds in GROUPS.values() for structure in kinds)
_NUMBER: Final = {structure: number for number, structure in enumerate(_STRUCTURES)}


class Node(NamedTuple):
    """A line of a tree: the number of the line above it or -1, of its region, what it is called, what to say of it."""

    parent: int
    region: int
    label: str
    note: str


def structures() -> dict[str, Any]:
    """Return the groups with their looks, and of each structure the fields, as the page needs them."""
    return {
        "groups": [{"name": name, "pattern": LOOKS[name].pattern} for name in GROUPS],
        "cellSize": _field(fields.CELL_SIZE),
        "inPlace": _field(fields.IN_PLACE),
        "unused": _field(fields.UNUSED),
        "structures": [
            {
                "name": structure.name,
                "group": group,
                "cell": structure.cell,
                "fields": [_field(field) for field in structure.fields],
                "tail": [_field(field) for field in structure.tail.fields] if structure.tail else [],
            }
            for group, kinds in enumerate(GROUPS.values())
            for structure in kinds
        ],
    }


def _field(field: s.Field) -> dict[str, Any]:
    size = 0 if field.code == "s" else field.size
    text = field.code.endswith("s")
    names = {str(value): name for value, name in field.names.items()}
    kind = "bytes" if text and field.shown == "bytes" else "text" if text else "number"
    signed = not text and field.code.islower()
    made = {"name": field.name, "size": size, "kind": kind, "shown": field.shown, "meaning": field.meaning}
    return made | ({"signed": True} if signed else {}) | ({"names": names} if names else {})


def subject(name: str, regions: Regions) -> dict[str, Any]:
    """Return what the page shows of one tar or hive that is called *name*."""
    kinds, shapes, lengths, owners = bytearray(), array("I"), array("I"), array("I")
    for region in regions:
        kinds.append(_NUMBER[region.structure])
        lengths.append(region.length)
        owners.append(region.owner)
        shapes.append(regions.shape(region))
    hidden = [
        part
        for entry in regions.entries
        if entry.reading is None and entry.size > MOST_CONTENT
        for part in (entry.content + MOST_CONTENT, entry.size - MOST_CONTENT)
    ]
    return {
        "name": name,
        "size": len(regions.data),
        **_stored(regions.data, hidden),
        "kinds": list(kinds),
        "shapes": shapes.tolist(),
        "lengths": lengths.tolist(),
        "owners": owners.tolist(),
        "entries": [[entry.path, entry.offset, entry.content, entry.size] for entry in regions.entries],
        "tree": list(_tree(regions)),
        "findings": [
            [entry.content + found.offset, str(found.level), found.message]
            for entry in regions.entries
            if entry.reading
            for found in entry.reading.findings
        ],
    }


def _stored(data: bytes, hidden: list[int]) -> dict[str, Any]:
    """Return *data* in base64 without its long runs of zeros and its *hidden* parts, and where those are, in pairs."""
    kept, left, at = bytearray(), array("I"), 0
    skips = [(match.start(), match.end() - match.start()) for match in _ZEROS.finditer(data)]
    skips += zip(hidden[::2], hidden[1::2], strict=True)
    for start, length in sorted(skips):
        if start >= at:
            kept += data[at:start]
            left.extend((start, length))
            at = start + length
        elif start + length > at:
            left.extend((at, start + length - at))
            at = start + length
    kept += data[at:]
    return {"bytes": base64.b64encode(kept).decode("ascii"), "skipped": left.tolist(), "hidden": hidden}


def _tree(regions: Regions) -> Iterator[Node]:
    """Yield the lines of a tree: entries, and below those that are hives their keys and values."""
    count = 0
    for entry in regions.entries:
        top = count
        kind = {b"5": "directory", b"1": "hard link", b"2": "symbolic link"}.get(entry.type, "")
        note = kind or (f"hive, {entry.size:,} bytes" if entry.reading else f"{entry.size:,} bytes")
        yield Node(-1, regions.index(entry.offset), entry.path, note)
        count += 1
        for node in _keys(regions, entry):
            yield node._replace(parent=top + node.parent)
            count += 1


def _keys(regions: Regions, entry: Entry) -> Iterator[Node]:
    """Yield the lines of a hive's keys and values; *parent* counts from the line of the entry, which is 0."""
    if entry.reading is None or entry.reading.spans is None:
        return
    first = regions.index(entry.content)
    root, below = _places(entry.reading.spans)
    lines: dict[tuple[str, ...], tuple[int, int]] = {}  # of each key, its line and its span
    count = 0
    for key in entry.reading.hive:
        above, over = lines.get(key.path[:-1], (0, root)) if key.path else (0, -1)
        place = below.get((over, s.KEY, key.path[-1]), over) if key.path else root
        count += 1
        here = count
        lines[key.path] = (here, place)
        yield Node(above, first + place, shortened(key.path[-1]) if key.path else "(root key)", "")
        for value in key.values:
            count += 1
            found = below.get((place, s.VALUE, value.name), place)
            yield Node(here, first + found, shortened(value.name) or "(default)", value_text(value))


def _places(spans: Spans) -> tuple[int, Mapping[tuple[int, s.Structure, str], int]]:
    """Return the number of the root key's span; and of each key's and value's by its key's span, kind and name."""
    root, below = 0, {}
    for number, span in enumerate(spans):
        if span.structure not in {s.KEY, s.VALUE} or not span.owner:
            continue
        above = spans.at(span.owner)
        while above.structure is not s.KEY and above.owner:
            above = spans.at(above.owner)
        if above.structure is s.KEY:
            below[spans.index_at(above.offset), span.structure, spans.name(span)] = number
        elif span.structure is s.KEY:
            root = number
    return root, below


def shortened(text: str) -> str:
    """Return *text*, cut where it is long, with its length."""
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}… ({len(text):,} characters)"


def value_text(value: Value) -> str:
    """Return type and data of a value in words."""
    return f"{s.VALUE_TYPES.get(value.type, hex(value.type))} {value.data[:64].hex(' ')}"
