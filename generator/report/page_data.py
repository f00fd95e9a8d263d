# SPDX-License-Identifier: Apache-2.0
"""Make the JSON data of a report's page: bytes, regions, trees, findings and a tour.

The page does not parse hives. The data has the offset of each structure, the count of its repeated fields, and the
table of fields, all from hives.reader; the page formats a field's value as hives.spans does. Names and values are cut
here and escaped there.
"""

import base64
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ..base.errors import counted, hexadecimal, shorten
from ..bcd.decoding import read_store
from ..bcd.words import WELL_KNOWN_OBJECTS
from ..hives import spans as fields
from ..hives import structures as s
from ..hives.model import Value
from ..hives.reader import Node as Key
from ..hives.value_decoding import decode_value, type_name
from ..imageread import untar
from ..oci.tar import BLOCK
from ..views.display_text import descriptor_text, entry_attributes, entry_descriptor
from ..views.regions import GROUPS, MappedEntry, Regions
from .colours import LOOKS

MOST_TEXT: Final = 160  # characters of a name or of data shown in a tree
MOST_CONTENT: Final = 4096  # bytes shown of a file other than a hive
_ZEROS: Final = re.compile(rb"\0{32,}")
_KINDS: Final = {untar.DIRECTORY: "directory", untar.HARD_LINK: "hard link", untar.SYMBOLIC_LINK: "symbolic link"}
_STRUCTURES: Final = tuple(structure for kinds in GROUPS.values() for structure in kinds)
_NUMBER: Final = {structure: number for number, structure in enumerate(_STRUCTURES)}
_TOUR: Final = ("signature", "size", "flags", "subkey", "name", "data")  # the field of each step


class TreeNode(NamedTuple):
    """A line of a tree: the indices of its parent line (or -1) and of its region, its label, and a note."""

    parent: int
    region: int
    label: str
    note: str


def structures() -> dict[str, Any]:
    """Return the groups with their looks, and the fields of each structure."""
    return {
        "groups": [{"name": name, "pattern": LOOKS[name].pattern, "meaning": LOOKS[name].meaning} for name in GROUPS],
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
    """Return the page's data of one tar or hive called *name*."""
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
        **_stored(regions.data[:], hidden),
        "kinds": list(kinds),
        "shapes": shapes.tolist(),
        "lengths": lengths.tolist(),
        "owners": owners.tolist(),
        "entries": [[entry.path, entry.offset, entry.content, entry.size] for entry in regions.entries],
        "tree": _tree(regions),
        "notes": dict(_notes(regions)),
        "findings": [
            [entry.content + found.offset, str(found.level), found.message]
            for entry in regions.entries
            if entry.reading
            for found in entry.reading.findings
        ],
    }


def _stored(data: bytes, hidden: list[int]) -> dict[str, Any]:
    """Return *data* in base64 without long runs of zeros and *hidden* parts, and the offsets and lengths of these."""
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


def _tree(regions: Regions) -> list[TreeNode]:
    """Return the lines of the tree: entries, and below hives their keys and values."""
    lines: list[TreeNode] = []
    folders: dict[str, int] = {}  # the index of each entry's line, by path
    for entry in regions.entries:
        folder, _, name = entry.path.rpartition("/")
        parent = folders.get(folder, -1)
        folders[entry.path] = len(lines)
        words = _bcd_words(entry.nodes or ())
        above = [len(lines)]  # the line of the entry and of each key above, by level
        lines.append(TreeNode(parent, regions.index(entry.offset), shortened(name), kind_of(entry)))
        for key in entry.nodes or ():
            del above[len(key.path) + 1 :]
            label = shortened(key.path[-1]) if key.path else "(root key)"
            note = words.get(tuple(name.lower() for name in key.path), "") if words else ""
            region = regions.index(entry.content + key.at)
            lines.append(TreeNode(above[-1], region, label, note))
            above.append(len(lines) - 1)
            for value, at in zip(key.values, key.places, strict=True):
                region, label = regions.index(entry.content + at), shortened(value.name) or "(default)"
                lines.append(TreeNode(above[-1], region, label, value_text(value)))
    return lines


def kind_of(entry: MappedEntry) -> str:
    """Return the kind of an entry as text: a directory, a link with its target, or a hive or file with its size."""
    if (tar := entry.tar_entry) and tar.kind in _KINDS:
        return _KINDS[tar.kind] + (f" to {shortened(tar.target)}" if tar.target else "")
    return f"{'hive' if entry.reading else 'file'}, {counted(entry.size, 'byte')}"


def shortened(text: str) -> str:
    """Return *text*, cut after MOST_TEXT characters."""
    return shorten(text, MOST_TEXT, measured=True)


def value_text(value: Value) -> str:
    """Return type and data of a value as text."""
    data = decode_value(value)
    if isinstance(data, bytes):
        text = hexadecimal(data)
    elif isinstance(data, int):
        text = f"{data:,} (0x{data:x})"
    else:
        text = shortened(data if isinstance(data, str) else " | ".join(data))
    return f"{type_name(value.type)}: {text}"


def _bcd_words(nodes: Sequence[Key]) -> Mapping[tuple[str, ...], str]:
    """Return bcdedit's names for the objects and elements of a BCD store, by the keys' paths in lower case."""
    words: dict[tuple[str, ...], str] = {}
    for thing in read_store(nodes) or ():
        named = ", ".join(word for word in (thing.name, thing.type_name) if word)
        words["objects", thing.guid] = named
        words |= {("objects", thing.guid, "elements", f"{e.number:08x}"): e.name for e in thing.elements}
    return words


def _notes(regions: Regions) -> Iterator[tuple[int, str]]:
    """Yield index and note of regions with more than fields: security descriptors in SDDL, attributes of files."""
    for number, region in enumerate(regions):
        if region.structure is s.SECURITY:
            *_, last = regions.parts(region)
            if isinstance(last.value, bytes):
                yield number, descriptor_text(last.value)
    for entry in regions.entries:
        if entry.tar_entry and entry.tar_entry.records:
            texts = (*entry_attributes(entry.tar_entry.records), entry_descriptor(entry.tar_entry.records))
            yield regions.index(entry.content - BLOCK), ", ".join(filter(None, texts))


def tour(regions: Regions) -> list[tuple[int, str]] | None:
    """Return region and field of the tour's six steps, or None without a BCD store that has a default.

    They are base block, first bin, root key, list of its subkeys, the value of the default element, and its data.
    """
    for entry in regions.entries:
        nodes = {tuple(name.lower() for name in key.path): key for key in entry.nodes or ()}
        element = nodes.get(("objects", WELL_KNOWN_OBJECTS["{bootmgr}"], "elements", "23000003"))
        if element is None or not element.places:
            continue
        first, root, value = (regions.index(entry.content + at) for at in (s.BASE, nodes[()].at, element.places[0]))
        lists, data = (next((i for i in _owned(regions, above)), None) for above in (root, value))
        if lists is not None and data is not None:
            steps = (regions.index(entry.content), first, root, lists, value, data)
            return list(zip(steps, _TOUR, strict=True))
    return None


def _owned(regions: Regions, above: int) -> Iterator[int]:
    """Yield the indices of the regions that the region *above* points to, lists of subkeys first."""
    within = range(regions[above].offset, regions[above].offset + regions[above].length)
    owned = [i for i, region in enumerate(regions) if region.owner in within]
    yield from sorted(owned, key=lambda i: regions[i].structure not in s.LEAVES)
