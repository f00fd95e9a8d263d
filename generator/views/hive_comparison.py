# SPDX-License-Identifier: Apache-2.0
"""Compare registry hives: their keys and values, aligned by path and name, and their bytes, structure by structure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest

from ..bcd.names import Notes
from ..hives.model import Value
from ..hives.reader import Node, Visit
from ..hives.spans import time_text
from ..hives.value_decoding import type_name
from . import comparison
from .comparison import ADDED, REMOVED, Comparison, Location, StructureChange
from .display_text import descriptor_text
from .regions import spans_of
from .tree_view import value_text


def aligned_keys(hives: Sequence[Iterable[Node]]) -> Iterator[tuple[tuple[str, ...], list[Node | None]]]:
    """Yield each path of a key in any of *hives*, sorted, and the key that each hive has there, or None."""
    keys = [{node.path: node for node in nodes} for nodes in hives]
    for path in sorted({path for each in keys for path in each}):
        yield path, [each.get(path) for each in keys]


def aligned_values(keys: Sequence[Node | None]) -> Iterator[tuple[str, list[Value | None]]]:
    """Yield each name of a value of any of *keys*, in order, and the value that each key has of that name, or None."""
    values = [{value.name: value for value in key.values} if key else {} for key in keys]
    for name in dict.fromkeys(name for each in values for name in each):
        yield name, [each.get(name) for each in values]


def value_texts(values: Sequence[Value | None], text: Callable[[Value], str], absent: str) -> list[str]:
    """Return the *text* of each value; if cutting makes two values look alike, add the offset where they differ."""
    texts: list[str] = []
    for value in values:
        line = absent if value is None else text(value)
        alike = values[texts.index(line)] if line in texts else None
        if value is not None and alike is not None and value != alike:
            pairs = enumerate(zip_longest(alike.data, value.data))
            line += f", differs from byte {next(at for at, (one, other) in pairs if one != other):,} on"
        texts.append(line)
    return texts


def compare_hives(old: bytes, new: bytes, where: Location, found: Comparison) -> None:
    """Add the differences between two hives at *where*; raise GeneratorError if their paths need too much memory."""
    notes = [Notes(data) for data in (old, new)]
    for path, nodes in aligned_keys([list(Visit(data).bounded()) for data in (old, new)]):
        at = where._replace(key=path)
        mine, yours = nodes
        words = [note.of_key(node) for note, node in zip(notes, nodes, strict=True) if node][-1]
        if mine is None or yours is None:
            found.add(ADDED if mine is None else REMOVED, "key", at, words=words)
        else:
            found.changed("descriptor", at, descriptor_text(mine.descriptor), descriptor_text(yours.descriptor), words)
            found.changed("written", at, _written(mine), _written(yours), words)
        _compare_values(nodes, notes, at, found)
    _compare_structures(old, new, where, found)


def _written(node: Node) -> str:
    return time_text(node.written) or str(node.written)


def _compare_values(nodes: Sequence[Node | None], notes: Sequence[Notes], where: Location, found: Comparison) -> None:
    for name, values in aligned_values(nodes):
        if values[0] == values[1]:
            continue
        words = [
            note.of_value(node, value)
            for note, node, value in zip(notes, nodes, values, strict=True)
            if node is not None and value is not None
        ]
        old, new = value_texts(values, lambda value: f"{type_name(value.type)} {value_text(value)}", "")
        found.changed("value", where._replace(value=name), old, new, " → ".join(filter(None, dict.fromkeys(words))))


def _compare_structures(old: bytes, new: bytes, where: Location, found: Comparison) -> None:
    """Add the structures that differ, each identified by its offset, length and kind."""
    spans = [spans_of(data) for data in (old, new)]
    placed = [{(span.offset, span.length, span.structure): span for span in each} for each in spans]
    count = 0
    for offset, length, kind in sorted({*placed[0], *placed[1]}, key=lambda place: place[:2]):
        mine, yours = (each.get((offset, length, kind)) for each in placed)
        raw = [data[offset : offset + length] for data in (old, new)]
        if mine is not None and yours is not None and raw[0] == raw[1]:
            continue
        count += 1
        if count > comparison.MOST_STRUCTURES:
            continue
        if mine is None or yours is None:
            change = ADDED if mine is None else REMOVED
            place = where.layer, where.entry, kind.name, offset, length, length
            found.structures.append(StructureChange(change, *place, ()))
        else:
            parts = [list(each.parts(span)) for each, span in zip(spans, (mine, yours), strict=True)]
            found.structure(where, kind.name, offset, parts, raw)
    if count > comparison.MOST_STRUCTURES:
        found.more[f"{where.layer}: {where.entry}".strip(": ")] = count - comparison.MOST_STRUCTURES
