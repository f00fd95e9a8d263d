# SPDX-License-Identifier: Apache-2.0
"""Build the lines of the tree view of layers, hives and images, lazily."""

from collections.abc import Iterator, Sequence
from typing import Final

from ..base.errors import GeneratorError, counted, hexadecimal, visible
from ..bcd.names import Notes
from ..hives.cells import Buffer
from ..hives.check import VERDICTS, described
from ..hives.model import Value
from ..hives.reader import Node, Visit
from ..hives.rules import Level
from ..hives.spans import time_text
from ..hives.value_decoding import decode_value, type_name
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK, TarEntry
from . import display_text
from .entry_path import EntryPath, absent, entries_of
from .merged import MergedLayer
from .tree_lines import MOST_TEXT, TreeLine, fit
from .unpacked_layers import HiveFile, UnpackedImage, UnpackedLayer, Viewable

_KINDS: Final = {DIRECTORY: "directory", FILE: "", HARD_LINK: "hard link to", SYMBOLIC_LINK: "symbolic link to"}


def lines(viewable: Viewable, place: EntryPath) -> Iterator[TreeLine]:
    """Yield the lines of a hive, layer or image, or only of the entry and key at *place*.

    Raise GeneratorError if *place* does not exist.
    """
    if isinstance(viewable, HiveFile):
        yield TreeLine(0, (("title", viewable.name), ("", f"registry hive, {counted(len(viewable.data), 'byte')}")))
        yield from hive_lines(viewable.data, 1, place.key, viewable.name)
    elif isinstance(viewable, UnpackedLayer):
        yield from _layer_lines(viewable, place, 0)
    else:
        yield from _image_lines(viewable, place)


def _image_lines(image: UnpackedImage, place: EntryPath) -> Iterator[TreeLine]:
    if place.path and not place.entries(entries_of(image)):
        raise absent(image.name, place)
    yield TreeLine(0, (("title", image.name), ("", "image")))
    for name, text in display_text.image_facts(image):
        yield TreeLine(1, (("name", name), ("data", text)), last=False)
    for damage in image.damage:
        yield TreeLine(1, (("bad", str(damage)),), remark=True)
    for number, layer in enumerate(image.layers):
        if place.path and not place.entries(layer.entries):
            continue
        for line in _layer_lines(layer, place, 1):
            yield line._replace(last=number == len(image.layers) - 1) if line.level == 1 else line


def _layer_lines(layer: UnpackedLayer, place: EntryPath, level: int) -> Iterator[TreeLine]:
    size = layer.summary() if isinstance(layer, MergedLayer) else f"layer, {counted(len(layer.tar), 'byte')}"
    if layer.compressed is not None:
        ratio = f" ({100 * layer.compressed / len(layer.tar):.1f} %)" if len(layer.tar) else ""
        size += f", compressed to {counted(layer.compressed, 'byte')}{ratio}"
    entries = place.entries(layer.entries)
    if place.path and not entries:
        raise absent(layer.name, place)
    yield TreeLine(level, (("title", layer.name), ("", size)))
    if not place.path and not isinstance(layer, MergedLayer):
        diff_id = layer.diff_id or "unknown, since it is damaged"
        yield TreeLine(level + 1, (("name", "diff ID"), ("data", diff_id)), last=False)
        if layer.compressed is not None:
            yield TreeLine(level + 1, (("name", "digest"), ("data", layer.digest)), last=not entries)
    shown: dict[str, str] = {}  # by kind of entry, the descriptor shown last
    for entry, depth, name, last in _nested(entries):
        yield TreeLine(level + 1 + depth, (("name", name), *_entry_parts(entry, shown)), last)
        if layer.is_hive(entry):
            yield from hive_lines(layer.content(entry)[:], level + 2 + depth, place.key, entry.name)
        elif place.key is not None:
            raise GeneratorError(f"{layer.name}: {visible(entry.name)} is not a hive, so it has no keys")
    for damage in layer.damage:
        yield TreeLine(level + 1, (("bad", str(damage)),), remark=True)
    for remark in layer.remarks() if isinstance(layer, MergedLayer) and not place.path else ():
        yield TreeLine(level + 1, (("", remark),), remark=True)


def _nested(entries: Sequence[TarEntry]) -> list[tuple[TarEntry, int, str, bool]]:
    """Return each entry with its depth below the directory before it, its name there, and whether it is the last.

    The name of an entry that does not follow its directory is its whole path.
    """
    above: list[str] = []
    found: list[tuple[TarEntry, int, str]] = []
    for entry in entries:
        parent, _, name = entry.name.rstrip("/").rpartition("/")
        while above and above[-1] != parent:
            above.pop()
        found.append((entry, len(above), entry.name[len(parent) + 1 :] if above and name else entry.name))
        if entry.kind == DIRECTORY:
            above.append(entry.name.rstrip("/"))
    followed: list[bool] = []  # by depth, whether another entry of the same directory follows
    result: list[tuple[TarEntry, int, str, bool]] = []
    for entry, depth, name in reversed(found):
        del followed[depth + 1 :]
        followed += [False] * (depth + 1 - len(followed))
        result.append((entry, depth, name, not followed[depth]))
        followed[depth] = True
    return result[::-1]


def _entry_parts(entry: TarEntry, shown: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the parts of an entry's line; a descriptor only if it is not the one *shown* last for the entry's kind."""
    kind = _KINDS.get(entry.kind, f"entry of type {entry.kind!r}")
    yield "", f"{kind} {entry.target}" if entry.kind in {HARD_LINK, SYMBOLIC_LINK} else kind
    if entry.kind == FILE:
        yield "", f"{counted(entry.size, 'byte')}"
    if attributes := display_text.entry_attributes(entry.records):
        yield "type", " ".join(attributes)
    descriptor = display_text.entry_descriptor(entry.records)
    if descriptor != shown.get(entry.kind, ""):
        yield "data", descriptor or "no descriptor"
    shown[entry.kind] = descriptor


def hive_lines(data: Buffer, level: int, key: tuple[str, ...] | None, shown: str) -> Iterator[TreeLine]:
    """Yield the lines of a hive or of a *key* in it; if that is missing, raise GeneratorError for the hive *shown*."""
    path = key or ()
    notes = Notes(data)
    visit = Visit(data)
    inherited: list[tuple[bytes, str]] = []  # descriptor and time of each key above, by level
    found = False
    for node in visit.nodes(path):
        depth = len(node.path)
        inherited[depth:] = [(node.descriptor, time_text(node.written))]
        if depth < len(path):
            continue
        above = inherited[depth - 1] if found and depth > 0 else (b"", "")
        descriptor = "" if above[0] == node.descriptor else display_text.descriptor_text(node.descriptor)
        written = "" if above[1] == inherited[depth][1] else f"written {inherited[depth][1] or 'at no time'}"
        found = True
        yield from _key_lines(node, level - len(path), notes, (descriptor, written), top=path)
    reading = visit.reading()
    for severity, finding in described(reading):
        if severity == Level.REFUSED or not path:
            style = "bad" if severity == Level.REFUSED else ""
            yield TreeLine(level, ((style, finding),), remark=True)
    if not found and path:
        raise GeneratorError(f"{visible(shown)}: has no key {EntryPath(key=path).key_text}")
    if not path:
        counts = f"{counted(reading.key_count, 'key')}, {counted(reading.value_count, 'value')}"
        yield TreeLine(level, (("", f"{counts}: {VERDICTS[reading.level]}"),), remark=True)


def _key_lines(
    node: Node, level: int, notes: Notes, columns: tuple[str, str], *, top: tuple[str, ...]
) -> Iterator[TreeLine]:
    """Yield the lines of a key and its values; *level* is that of the root, *top* the path of the first key shown.

    *columns* are the texts of descriptor and time, empty if they are those of the key above.
    """
    at, name = level + len(node.path), node.path[-1] if node.path else "\\"
    parts = ("key", name), ("word", notes.of_key(node)), ("data", columns[0]), ("", columns[1])
    yield TreeLine(at, parts, node.last or len(node.path) == len(top))
    for number, value in enumerate(node.values, 1):
        about = (
            ("name", value.name or "(default)"),
            ("type", type_name(value.type)),
            ("data", value_text(value)),
            ("word", notes.of_value(node, value)),
        )
        last = number == len(node.values) and node.subkeys == 0
        yield TreeLine(at + 1, about, last, whole=_whole(value))


def _whole(value: Value) -> str:
    """Return the text of a value whose line may have only a part of it."""
    data = decode_value(value) if len(value.data) > MOST_TEXT else ""
    return data if isinstance(data, str) else "\n".join(data) if isinstance(data, tuple) else ""


def value_text(value: Value) -> str:
    """Return the data of a value as the text of a line."""
    data = decode_value(value)
    if isinstance(data, int):
        return f"0x{data:0{2 * len(value.data)}x} ({data:,})"
    if isinstance(data, bytes):
        return hexadecimal(data) or "no bytes"
    if isinstance(data, str):
        return f'"{fit(data)}"'
    most = 20
    shown = ", ".join(f'"{fit(text)}"' for text in data[:most])
    return f"[{shown}]" if len(data) <= most else f"[{shown}, …] ({len(data):,} texts)"
