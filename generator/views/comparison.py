# SPDX-License-Identifier: Apache-2.0
"""How two layers, hives or images differ: in meaning, by entries, keys and values, and in bytes, by structures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, NamedTuple

from ..base.errors import GeneratorError, counted
from ..bcd.names import Notes
from ..hives import structures as s
from ..hives.model import Value
from ..hives.reader import Node, Visit, read
from ..hives.spans import Part, Spans, make_part, time_text
from ..hives.value_text import type_name
from ..imageread.untar import FILE, Entry
from ..oci.blob import sha256
from ..oci.tar import BLOCK
from . import display_text, document_differences
from .regions import TAR_HEADER
from .spool import Stored
from .tree_view import value_text
from .unpacked_layers import HiveFile, UnpackedImage, UnpackedLayer, Viewable, is_hive

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
MOST_STRUCTURES: Final = 1000  # that are told of one hive; more of them are counted


class ContentChange(NamedTuple):
    """One difference in meaning: what was done to what, where that is, and how it was before and is after.

    *what* is an entry, content, attribute, key, value, descriptor and the like; *words* is what bcdedit calls it.
    """

    kind: str
    what: str
    layer: str
    entry: str
    key: tuple[str, ...] | None
    value: str | None
    old: str
    new: str
    words: str = ""


class StructureChange(NamedTuple):
    """One structure whose bytes differ: where it is, in bytes of its file, and the fields that differ, old and new.

    *differing* counts bytes that are not the same. A structure that only one side has in its place was added or
    removed. A tar header is where the old tar has it.
    """

    kind: str
    layer: str
    entry: str
    structure: str
    offset: int
    size: int
    differing: int
    fields: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs between two."""

    changes: list[ContentChange] = field(default_factory=list)
    bytes: list[StructureChange] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)  # by entry, structures that are not in the list

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.changes or self.bytes or self.more)


def compare(old: Mapping[str, Callable[[], Viewable]], new: Mapping[str, Callable[[], Viewable]]) -> Comparison:
    """Return how two sets of what can be opened differ, each by its name; one on each side need not share a name."""
    found = Comparison()
    if len(old) == 1 == len(new):
        _compare(next(iter(old.values()))(), next(iter(new.values()))(), "", found)
        return found
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            gone = old[name]()
            found.changes.append(ContentChange(REMOVED, _kind(gone), name, "", None, None, _what(gone), ""))
        elif name not in old:
            come = new[name]()
            found.changes.append(ContentChange(ADDED, _kind(come), name, "", None, None, "", _what(come)))
        else:
            _compare(old[name](), new[name](), name, found)
    return found


def _kind(opened: Viewable) -> str:
    return "image" if isinstance(opened, UnpackedImage) else "layer"


def _what(opened: Viewable) -> str:
    if isinstance(opened, UnpackedLayer):
        return f"{len(opened.tar):,} bytes, {len(opened.entries):,} entries"
    if isinstance(opened, HiveFile):
        return f"{len(opened.data):,} bytes"
    return ", ".join(filter(None, (platform(opened), counted(len(opened.layers), "layer"), opened.digest)))


def platform(image: UnpackedImage) -> str:
    """Return what an image runs on, as its index says it, or else its configuration."""
    made_for = image.platform or image.config
    return (
        display_text.platform_text(made_for.os, made_for.architecture, made_for.os_version) if made_for else "unknown"
    )


def _compare(old: Viewable, new: Viewable, name: str, found: Comparison) -> None:
    if isinstance(old, HiveFile) and isinstance(new, HiveFile):
        _hives(old.data, new.data, name, "", found)
    elif isinstance(old, UnpackedLayer) and isinstance(new, UnpackedLayer):
        _layers(old, new, name, found)
    elif isinstance(old, UnpackedImage) and isinstance(new, UnpackedImage):
        _images(old, new, name, found)
    else:
        raise GeneratorError(f"{old.name} and {new.name} are not of one kind; name two layers, two images or two hives")


def _images(old: UnpackedImage, new: UnpackedImage, name: str, found: Comparison) -> None:
    facts = [dict(display_text.image_facts("", each.platform, each.config)) for each in (old, new)]
    for fact in dict.fromkeys([*facts[0], *facts[1]]):
        _changed(found, "image", name, "", facts[0].get(fact, ""), facts[1].get(fact, ""), words=fact)
    for before, after, words in document_differences.differences(old.documents, new.documents):
        _changed(found, "image", name, "", before, after, words)
    damage = ["; ".join(map(str, each.damage)) for each in (old, new)]
    if old.documents != new.documents or not old.digest:
        _changed(found, "damage", name, "", *damage)
    for number in range(max(len(old.layers), len(new.layers))):
        called = f"{name} layer {number + 1}".strip()
        if number >= len(new.layers):
            layer = old.layers[number]
            found.changes.append(ContentChange(REMOVED, "layer", called, "", None, None, _what(layer), ""))
        elif number >= len(old.layers):
            layer = new.layers[number]
            found.changes.append(ContentChange(ADDED, "layer", called, "", None, None, "", _what(layer)))
        else:
            mine, yours = old.layers[number], new.layers[number]
            _layers(mine, yours, called, found)
            if not (mine.digest or yours.digest or (old.digest and mine.name == yours.name)):
                told = "; ".join(map(str, mine.damage))
                found.changes.append(
                    ContentChange(CHANGED, "damage", called, "", None, None, told, told, "nobody can compare")
                )


def _changed(found: Comparison, what: str, layer: str, entry: str, old: str, new: str, words: str = "") -> None:
    if old != new:
        kind = CHANGED if old and new else REMOVED if old else ADDED
        found.changes.append(ContentChange(kind, what, layer, entry, None, None, old, new, words))


def _layers(old: UnpackedLayer, new: UnpackedLayer, name: str, found: Comparison) -> None:
    if old.digest == new.digest and old.damage == new.damage:
        return
    _changed(found, "damage", name, "", "; ".join(map(str, old.damage)), "; ".join(map(str, new.damage)))
    before = len(found.changes) + len(found.bytes)
    mine, yours = ({entry.name: entry for entry in each.entries} for each in (old, new))
    for path in dict.fromkeys([*mine, *yours]):
        if path not in yours:
            found.changes.append(
                ContentChange(REMOVED, "entry", name, path, None, None, _entry_text(old, mine[path]), "")
            )
        elif path not in mine:
            found.changes.append(
                ContentChange(ADDED, "entry", name, path, None, None, "", _entry_text(new, yours[path]))
            )
        else:
            _entries(old, new, mine[path], yours[path], name, found)
    order = [[path for path in each if path in mine and path in yours] for each in (mine, yours)]
    if order[0] != order[1]:
        first = next(index for index, path in enumerate(order[0]) if order[1][index] != path)
        _changed(found, "order", name, "", order[0][first], order[1][first], "the first entry that is elsewhere")
    if len(found.changes) + len(found.bytes) == before:
        what = "compression" if old.tar.same(new.tar) else "tar"
        sizes = [len(each.tar) if what == "tar" else each.compressed or len(each.tar) for each in (old, new)]
        changed = f"{sizes[0]:,} bytes, {old.digest}", f"{sizes[1]:,} bytes, {new.digest}"
        found.changes.append(ContentChange(CHANGED, what, name, "", None, None, *changed))


def _entry_text(layer: UnpackedLayer, entry: Entry) -> str:
    names = {FILE: "file", "5": "directory", "1": "hard link", "2": "symbolic link"}
    kind = "hive" if layer.is_hive(entry) else names.get(entry.kind, f"entry of type {entry.kind!r}")
    size = f"{kind}, {entry.size:,} bytes" if entry.kind == FILE else kind
    return " ".join([size, entry.target, display_text.entry_descriptor(entry.records)]).strip()


def _entries(old: UnpackedLayer, new: UnpackedLayer, mine: Entry, yours: Entry, name: str, found: Comparison) -> None:
    """Compare two entries of the same path."""
    path = mine.name
    for what, get in _FACTS.items():
        _changed(found, what, name, path, get(mine), get(yours))
    sides = (old, mine), (new, yours)
    before, after = (layer.content(entry) for layer, entry in sides)
    headers = [layer.tar[entry.offset - BLOCK : entry.offset] for layer, entry in sides]
    if headers[0] != headers[1]:
        parts = [list(_header_parts(header)) for header in headers]
        found.bytes.append(_structure(name, path, TAR_HEADER, mine.offset - BLOCK, parts, headers))
    if before.same(after):
        return
    if all(layer.is_hive(entry) for layer, entry in sides):
        _hives(before[:], after[:], name, path, found)
    else:
        _changed(found, "content", name, path, *map(_content_text, (before, after)))


def _content_text(data: bytes | Stored) -> str:
    if not data:
        return "nothing"
    kind = "hive, " if is_hive(data) else ""
    return f"{kind}{len(data):,} bytes, {data.digest() if isinstance(data, Stored) else sha256(data)}"


_TOLD: Final = frozenset({"mtime", "path", "linkpath", "size", "MSWINDOWS.fileattr", "MSWINDOWS.rawsd", "MSWINDOWS.sd"})
_FACTS: Final[Mapping[str, Callable[[Entry], str]]] = {
    "type": lambda entry: repr(entry.kind),
    "mode": lambda entry: f"{entry.mode:07o}",
    "time": lambda entry: str(entry.records.get("mtime", entry.time)),
    "target": lambda entry: entry.target,
    "attributes": lambda entry: " ".join(display_text.entry_attributes(entry.records)),
    "descriptor": lambda entry: display_text.entry_descriptor(entry.records),
    "records": lambda entry: ", ".join(f"{key}={text}" for key, text in entry.records.items() if key not in _TOLD),
}


def _header_parts(header: bytes) -> Iterator[Part]:
    at = 0
    for one in TAR_HEADER.fields:
        yield make_part(one, header, at)
        at += one.size


def _structure(
    layer: str, entry: str, kind: s.Structure, offset: int, parts: Sequence[Sequence[Part]], raw: Sequence[bytes]
) -> StructureChange:
    """Return what differs between two structures of one kind and length."""
    fields = tuple(
        (mine.field.name, mine.text, yours.text)
        for mine, yours in zip(*parts, strict=False)
        if mine.value != yours.value and mine.field.name == yours.field.name
    )
    differing = sum(mine != yours for mine, yours in zip(*raw, strict=False))
    return StructureChange(CHANGED, layer, entry, kind.name, offset, len(raw[0]), differing, fields)


# Hives.


def _hives(old: bytes, new: bytes, layer: str, entry: str, found: Comparison) -> None:
    if old == new:
        return
    known = len(found.changes), len(found.bytes)
    keys = [{node.path: node for node in Visit(data).kept()} for data in (old, new)]
    descriptors = display_text.Descriptors()
    notes = [Notes(data) for data in (old, new)]
    for path in sorted({*keys[0], *keys[1]}):
        mine, yours = keys[0].get(path), keys[1].get(path)
        if mine is None or yours is None:
            one, note = (yours, notes[1]) if mine is None else (mine, notes[0])
            _whole_key(one, note, ADDED if mine is None else REMOVED, layer, entry, found)
            continue
        where = layer, entry, path
        for what, before, after in (
            ("descriptor", *(descriptors[node.descriptor] for node in (mine, yours))),
            ("written", *(time_text(node.written) or str(node.written) for node in (mine, yours))),
        ):
            if before != after:
                words = notes[1].of_key(yours)
                found.changes.append(ContentChange(CHANGED, what, *where, None, before, after, words))
        _values(mine, yours, notes, where, found)
    _hive_bytes(old, new, layer, entry, found)
    if (len(found.changes), len(found.bytes)) == known:  # what differs is in no structure
        _changed(found, "content", layer, entry, _content_text(old), _content_text(new))


def _whole_key(node: Node | None, notes: Notes, kind: str, layer: str, entry: str, found: Comparison) -> None:
    """Take note of a key that one side has alone, with its values."""
    if node is None:
        return
    place = layer, entry, node.path
    found.changes.append(ContentChange(kind, "key", *place, None, "", "", notes.of_key(node)))
    for value in node.values:
        text = _value_text(value)
        sides = ("", text) if kind == ADDED else (text, "")
        found.changes.append(ContentChange(kind, "value", *place, value.name, *sides, notes.of_value(node, value)))


def _values(
    mine: Node, yours: Node, notes: Sequence[Notes], place: tuple[str, str, tuple[str, ...]], found: Comparison
) -> None:
    before, after = ({value.name: value for value in node.values} for node in (mine, yours))
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        kind = ADDED if old is None else REMOVED if new is None else CHANGED
        words = [
            note.of_value(node, each) for note, node, each in zip(notes, (mine, yours), (old, new), strict=True) if each
        ]
        before_text, after_text = (_value_text(each) if each else "" for each in (old, new))
        if before_text == after_text and old and new:  # what is long is cut, and differs behind that
            pairs = enumerate(zip_longest(old.data, new.data))
            after_text += f", another from byte {next(at for at, (one, other) in pairs if one != other):,} on"
        told = " → ".join(filter(None, dict.fromkeys(words)))
        found.changes.append(ContentChange(kind, "value", *place, name, before_text, after_text, told))


def _value_text(value: Value) -> str:
    return f"{type_name(value.type)} {value_text(value)}"


def _hive_bytes(old: bytes, new: bytes, layer: str, entry: str, found: Comparison) -> None:
    """Compare two hives structure by structure, by where each lies in its file."""
    spans = tuple(_spans(data) for data in (old, new))
    placed = tuple({(span.offset, span.length, span.structure): span for span in each} for each in spans)
    told = 0
    for place in sorted({*placed[0], *placed[1]}, key=lambda place: place[:2]):
        offset, length, kind = place
        mine, yours = placed[0].get(place), placed[1].get(place)
        raw = [data[offset : offset + length] for data in (old, new)]
        if mine is not None and yours is not None and raw[0] == raw[1]:
            continue
        told += 1
        if told > MOST_STRUCTURES:
            continue
        if mine is None or yours is None:
            what = ADDED if mine is None else REMOVED
            found.bytes.append(StructureChange(what, layer, entry, kind.name, offset, length, length, ()))
        else:
            parts = [list(each.parts(span)) for each, span in zip(spans, (mine, yours), strict=True)]
            found.bytes.append(_structure(layer, entry, kind, offset, parts, raw))
    if told > MOST_STRUCTURES:
        found.more[f"{layer}: {entry}".strip(": ")] = told - MOST_STRUCTURES


def _spans(data: bytes) -> Spans:
    spans = read(data, spans=True).spans
    if spans is None:
        raise RuntimeError("the reader was asked for spans")
    return spans
