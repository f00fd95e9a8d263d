# SPDX-License-Identifier: Apache-2.0
"""Layers, hives and images as a JSON document, in the form that inspect.schema.json describes."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from ..base.errors import GeneratorError, visible
from ..bcd import decoding
from ..hives.check import findings
from ..hives.model import Value
from ..hives.reader import Node, Visit
from ..hives.rules import Level
from ..hives.value_text import decoded, type_name
from ..imageread.untar import FILE, Entry
from ..oci.blob import sha256
from . import display_text
from .entry_path import EntryPath, absent
from .unpacked_layers import HiveFile, UnpackedImage, UnpackedLayer, Viewable

FORMAT = 1


class Streamed(list[Any]):
    """A list for the JSON encoder whose items are made one by one, as they are written."""

    def __init__(self, items: Iterable[Any]) -> None:
        super().__init__()
        self._items = iter(items)
        self._first = list(islice(self._items, 1))

    def __bool__(self) -> bool:
        """Return whether there is an item."""
        return bool(self._first)

    def __iter__(self) -> Iterator[Any]:
        """Yield the items, once."""
        return chain(self._first, self._items)


class Document:
    """A document that is made as it is written; *damaged* says then whether anything in it could not be read on."""

    def __init__(self) -> None:
        self.damaged = False

    def of(self, all_opened: list[tuple[Viewable, EntryPath]]) -> dict[str, Any]:
        """Return the document of all that was opened, each with the place in it that is asked for."""
        return {"format": FORMAT, "opened": [self._subject(opened, place) for opened, place in all_opened]}

    def _subject(self, opened: Viewable, place: EntryPath) -> dict[str, Any]:
        if isinstance(opened, HiveFile):
            size = {"size": len(opened.data), "digest": sha256(opened.data)}
            return {"kind": "hive", "name": opened.name, **size, "hive": self.hive(opened.data, place, opened.name)}
        if isinstance(opened, UnpackedLayer):
            return self._layer(opened, place)
        layers = [
            self._layer(layer, place) for layer in opened.layers if not place.path or place.entries(layer.entries)
        ]
        if place.path and not layers:
            raise absent(opened.name, place, [entry for layer in opened.layers for entry in layer.entries])
        return {
            "kind": "image",
            "name": opened.name,
            "facts": dict(display_text.image_facts(opened.digest, opened.platform, opened.config)),
            "layers": layers,
            "damage": self._damage(opened),
        }

    def _layer(self, layer: UnpackedLayer, place: EntryPath) -> dict[str, Any]:
        entries = place.entries(layer.entries)
        if place.path and not entries:
            raise absent(layer.name, place, layer.entries)
        made = (self._entry(layer, entry, place) for entry in entries)
        return {
            "kind": "layer",
            "name": layer.name,
            "size": len(layer.tar),
            "diffID": layer.diff_id or None,
            "compressedSize": layer.compressed,
            "digest": layer.digest,
            "entries": Streamed(made) if place.key is None else list(made),
            "damage": self._damage(layer),
        }

    def _entry(self, layer: UnpackedLayer, entry: Entry, place: EntryPath) -> dict[str, Any]:
        found: dict[str, Any] = {
            "path": entry.name,
            "type": entry.kind,
            "offset": entry.offset,
            "size": entry.size,
            "mode": entry.mode,
            "time": entry.time,
            "target": entry.target,
            "attributes": list(display_text.entry_attributes(entry.records)),
            "descriptor": display_text.entry_descriptor(entry.records),
            "records": dict(entry.records),
        }
        if entry.kind == FILE:
            found["digest"] = layer.content(entry).digest()
        if layer.is_hive(entry):
            found["hive"] = self.hive(layer.content(entry)[:], place, entry.name)
        elif place.key is not None:
            raise GeneratorError(f"{layer.name}: {visible(entry.name)} is no hive, so it has no keys")
        return found

    def hive(self, data: bytes, place: EntryPath, shown: str) -> dict[str, Any]:
        """Return a hive's keys, what it is as a BCD store, or null, and what is wrong with it."""
        path = place.key or ()
        visit = Visit(data)
        store = decoding.read_store(_below(visit, path))
        reading = visit.reading()
        keys = Streamed(self._keys(data, path))
        if path and not keys:
            raise GeneratorError(f"{visible(shown)}: has no key {chr(92).join(path)!r}")
        found = findings(reading)
        self.damaged |= any(each.level == Level.REFUSED for each in reading.findings)
        return {"keys": keys, "bcd": None if store is None else list(map(_object, store)), **found}

    @staticmethod
    def _keys(data: bytes, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        descriptors = display_text.Descriptors()
        return (_key(node, descriptors) for node in _below(Visit(data), path))

    def _damage(self, opened: UnpackedLayer | UnpackedImage) -> list[dict[str, Any]]:
        self.damaged |= bool(opened.damage)
        return [{"part": each.part, "offset": each.offset, "message": each.message} for each in opened.damage]


def _below(visit: Visit, path: tuple[str, ...]) -> Iterator[Node]:
    """Yield the key at *path* and what is below it."""
    return (node for node in visit.bounded(path) if len(node.path) >= len(path))


def _key(node: Node, descriptors: display_text.Descriptors) -> dict[str, Any]:
    return {
        "path": list(node.path),
        "offset": node.at,
        "written": node.written,
        "descriptor": descriptors[node.descriptor],
        "values": list(map(_value, node.values, node.places)),
    }


def _value(value: Value, at: int) -> dict[str, Any]:
    data = decoded(value)
    return {
        "name": value.name,
        "offset": at,
        "type": value.type,
        "typeName": type_name(value.type),
        "data": None if isinstance(data, bytes) else list(data) if isinstance(data, tuple) else data,
        "bytes": value.data.hex(),
    }


def _object(one: decoding.BcdObject) -> dict[str, Any]:
    return {
        "id": one.guid,
        "name": one.name,
        "type": one.type,
        "typeName": one.type_name,
        "title": one.title,
        "elements": [
            {
                "number": element.number,
                "name": element.name,
                "value": element.value.hex() if isinstance(element.value, bytes) else element.value,
                "shown": decoding.value_lines(element),
            }
            for element in one.elements
        ],
    }
