# SPDX-License-Identifier: Apache-2.0
"""Layers, hives and images as the lines of a tree, each line made as it is asked for."""

from collections.abc import Iterator, Sequence
from typing import Final

from ..base.errors import GeneratorError, counted, visible
from ..bcd.names import Notes
from ..hives.cells import Buffer
from ..hives.check import VERDICTS
from ..hives.model import Value
from ..hives.reader import Visit
from ..hives.rules import Level
from ..hives.value_text import decoded, type_name
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK, Entry
from . import display_text
from .entry_path import EntryPath, absent
from .tree_lines import TreeLine, fit
from .unpacked_layers import HiveFile, UnpackedImage, UnpackedLayer, Viewable

_MOST_BYTES: Final = 32  # of data that a line shows
_KINDS: Final = {DIRECTORY: "directory", FILE: "", HARD_LINK: "hard link to", SYMBOLIC_LINK: "symbolic link to"}


def lines(opened: Viewable, place: EntryPath, level: int = 0) -> Iterator[TreeLine]:
    """Yield the lines of what was opened, or of the entry and key at *place* alone.

    Raise GeneratorError where *place* is not there.
    """
    if isinstance(opened, HiveFile):
        yield TreeLine(level, (("title", opened.name), ("", f"registry hive, {len(opened.data):,} bytes")))
        yield from hive_lines(opened.data, level + 1, place.key, opened.name)
    elif isinstance(opened, UnpackedLayer):
        yield from _layer_lines(opened, place, level)
    else:
        yield from _image_lines(opened, place, level)


def _image_lines(image: UnpackedImage, place: EntryPath, level: int) -> Iterator[TreeLine]:
    entries = [entry for layer in image.layers for entry in layer.entries]
    if place.path and not place.entries(entries):
        raise absent(image.name, place, entries)
    yield TreeLine(level, (("title", image.name), ("", "image")))
    for name, text in display_text.image_facts(image.digest, image.platform, image.config):
        yield TreeLine(level + 1, (("name", name), ("data", text)), last=False)
    for damage in image.damage:
        yield TreeLine(level + 1, (("bad", str(damage)),), remark=True)
    for number, layer in enumerate(image.layers):
        if place.path and not place.entries(layer.entries):
            continue
        yield from (
            line._replace(last=number == len(image.layers) - 1) if line.level == level + 1 else line
            for line in _layer_lines(layer, place, level + 1)
        )


def _layer_lines(layer: UnpackedLayer, place: EntryPath, level: int) -> Iterator[TreeLine]:
    size = f"layer, {len(layer.tar):,} bytes"
    if layer.compressed is not None:
        ratio = f" ({100 * layer.compressed / len(layer.tar):.1f} %)" if len(layer.tar) else ""
        size += f", compressed to {layer.compressed:,} bytes{ratio}"
    entries = place.entries(layer.entries)
    if place.path and not entries:
        raise absent(layer.name, place, layer.entries)
    yield TreeLine(level, (("title", layer.name), ("", size)))
    if not place.path:
        yield TreeLine(
            level + 1, (("name", "diff ID"), ("data", layer.diff_id or "unknown, since it is damaged")), last=False
        )
        if layer.compressed is not None:
            yield TreeLine(level + 1, (("name", "digest"), ("data", layer.digest)), last=not entries)
    for entry, depth, name, last in _nested(entries):
        yield TreeLine(level + 1 + depth, (("name", name), *_entry_parts(entry)), last)
        if layer.is_hive(entry):
            yield from hive_lines(layer.content(entry)[:], level + 2 + depth, place.key, entry.name)
        elif place.key is not None:
            raise GeneratorError(f"{layer.name}: {visible(entry.name)} is no hive, so it has no keys")
    for damage in layer.damage:
        yield TreeLine(level + 1, (("bad", str(damage)),), remark=True)


def _nested(entries: Sequence[Entry]) -> list[tuple[Entry, int, str, bool]]:
    """Return each entry with its depth below the directory that went before it, its name there, and if it is the last.

    An entry that does not follow its directory, or what is in that, has its whole path for a name.
    """
    above: list[str] = []
    found: list[tuple[Entry, int, str]] = []
    for entry in entries:
        parent, _, name = entry.name.rstrip("/").rpartition("/")
        while above and above[-1] != parent:
            above.pop()
        found.append((entry, len(above), entry.name[len(parent) + 1 :] if above and name else entry.name))
        if entry.kind == DIRECTORY:
            above.append(entry.name.rstrip("/"))
    followed: list[bool] = []  # by depth, whether another entry of the same directory comes
    result: list[tuple[Entry, int, str, bool]] = []
    for entry, depth, name in reversed(found):
        del followed[depth + 1 :]
        followed += [False] * (depth + 1 - len(followed))
        result.append((entry, depth, name, not followed[depth]))
        followed[depth] = True
    return result[::-1]


def _entry_parts(entry: Entry) -> Iterator[tuple[str, str]]:
    kind = _KINDS.get(entry.kind, f"entry of type {entry.kind!r}")
    yield "", f"{kind} {entry.target}" if entry.kind in {HARD_LINK, SYMBOLIC_LINK} else kind
    if entry.kind == FILE:
        yield "", f"{entry.size:,} bytes"
    if attributes := display_text.entry_attributes(entry.records):
        yield "type", " ".join(attributes)
    if descriptor := display_text.entry_descriptor(entry.records):
        yield "data", descriptor


def hive_lines(data: Buffer, level: int, key: tuple[str, ...] | None, shown: str) -> Iterator[TreeLine]:
    """Yield the lines of a hive, or of a *key* in it; raise GeneratorError, which names the hive *shown*, if absent."""
    path = key or ()
    notes = Notes(data)
    visit = Visit(data)
    descriptors = display_text.Descriptors()
    inherited: list[bytes] = []  # by level of keys, the descriptor
    found = False
    for node in visit.nodes(path):
        depth = len(node.path)
        inherited[depth:] = [node.descriptor]
        if depth < len(path):
            continue
        same = found and depth > 0 and inherited[depth - 1] == node.descriptor
        found = True
        at = level + depth - len(path)
        descriptor = "" if same else descriptors[node.descriptor]
        name = node.path[-1] if node.path else "\\"
        yield TreeLine(
            at, (("key", name), ("word", notes.of_key(node)), ("data", descriptor)), node.last or depth == len(path)
        )
        for number, value in enumerate(node.values):
            last = number == len(node.values) - 1 and node.subkeys == 0
            parts = (
                ("name", value.name or "(default)"),
                ("type", type_name(value.type)),
                ("data", value_text(value)),
            )
            yield TreeLine(at + 1, (*parts, ("word", notes.of_value(node, value))), last)
    reading = visit.reading()
    for finding in reading.findings:
        if finding.level == Level.REFUSED or not path:
            style = "bad" if finding.level == Level.REFUSED else ""
            yield TreeLine(level, ((style, f"{finding.level}: {finding.message}"),), remark=True)
    if not found and path:
        raise GeneratorError(f"{visible(shown)}: has no key {chr(92).join(path)!r}")
    if not path:
        counts = f"{counted(reading.key_count, 'key')}, {counted(reading.value_count, 'value')}"
        counts += f": {VERDICTS[reading.level]}"
        yield TreeLine(level, (("", counts),), remark=True)


def value_text(value: Value) -> str:
    """Return what a line shows of a value's data."""
    data = decoded(value)
    if isinstance(data, int):
        return f"0x{data:0{2 * len(value.data)}x} ({data:,})"
    if isinstance(data, bytes):
        if not data:
            return "no bytes"
        shown = data[:_MOST_BYTES].hex(" ")
        return shown if len(data) <= _MOST_BYTES else f"{shown} … ({len(data):,} bytes)"
    if isinstance(data, str):
        return f'"{fit(data)}"'
    most = 20
    shown = ", ".join(f'"{fit(text)}"' for text in data[:most])
    return f"[{shown}]" if len(data) <= most else f"[{shown}, …] ({len(data):,} texts)"
