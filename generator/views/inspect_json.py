# SPDX-License-Identifier: Apache-2.0
"""Build the JSON document of layers, hives and images that inspect.schema.json describes."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from ..base.errors import GeneratorError, visible
from ..bcd import decoding
from ..hives.check import findings
from ..hives.model import Value
from ..hives.reader import Node, Visit
from ..hives.rules import Level
from ..hives.value_decoding import decode_value, type_name
from ..imageread.untar import FILE, TarEntry
from ..oci.blob import sha256
from . import display_text
from .entry_path import EntryPath, absent
from .unpacked_layers import HiveFile, UnpackedImage, UnpackedLayer, Viewable

FORMAT = 1


class Streamed(list[Any]):
    """A list for the JSON encoder that makes its items lazily, one by one, and can be iterated once."""

    def __init__(self, items: Iterable[Any]) -> None:
        super().__init__()
        self._items = iter(items)
        self._first = list(islice(self._items, 1))

    def __bool__(self) -> bool:
        return bool(self._first)

    def __iter__(self) -> Iterator[Any]:
        return chain(self._first, self._items)


class InspectDocument:
    """A document that is made as it is written; afterwards *damaged* says whether any part of it is damaged."""

    def __init__(self) -> None:
        self.damaged = False

    def of(self, viewables: list[tuple[Viewable, EntryPath]]) -> dict[str, Any]:
        """Return the document of layers, hives and images, each with the path in it to show."""
        return {"format": FORMAT, "opened": [self._subject(viewable, place) for viewable, place in viewables]}

    def _subject(self, viewable: Viewable, place: EntryPath) -> dict[str, Any]:
        if isinstance(viewable, HiveFile):
            name, data = viewable.name, viewable.data
            facts = {"kind": "hive", "name": name, "size": len(data), "digest": sha256(data)}
            return facts | {"hive": self.hive(data, place, name)}
        if isinstance(viewable, UnpackedLayer):
            return self._layer(viewable, place)
        layers = [
            self._layer(layer, place) for layer in viewable.layers if not place.path or place.entries(layer.entries)
        ]
        if place.path and not layers:
            raise absent(viewable.name, place)
        return {
            "kind": "image",
            "name": viewable.name,
            "facts": dict(display_text.image_facts(viewable)),
            "layers": layers,
            "damage": self._damage(viewable),
        }

    def _layer(self, layer: UnpackedLayer, place: EntryPath) -> dict[str, Any]:
        entries = place.entries(layer.entries)
        if place.path and not entries:
            raise absent(layer.name, place)
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

    def _entry(self, layer: UnpackedLayer, entry: TarEntry, place: EntryPath) -> dict[str, Any]:
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
            raise GeneratorError(f"{layer.name}: {visible(entry.name)} is not a hive, so it has no keys")
        return found

    def hive(self, data: bytes, place: EntryPath, shown: str) -> dict[str, Any]:
        """Return a hive's keys, its objects if it is a BCD store, else None, and its findings."""
        path = place.key or ()
        visit = Visit(data)
        store = decoding.read_store(_below(visit, path))
        reading = visit.reading()
        keys = Streamed(map(_key, _below(Visit(data), path)))
        if path and not keys:
            raise GeneratorError(f"{visible(shown)}: has no key {EntryPath(key=path).key_text}")
        found = findings(reading)
        self.damaged |= any(each.level == Level.REFUSED for each in reading.findings)
        return {"keys": keys, "bcd": None if store is None else list(map(_object, store)), **found}

    def _damage(self, viewable: UnpackedLayer | UnpackedImage) -> list[dict[str, Any]]:
        self.damaged |= bool(viewable.damage)
        return [{"part": each.part, "offset": each.offset, "message": each.message} for each in viewable.damage]


def _below(visit: Visit, path: tuple[str, ...]) -> Iterator[Node]:
    """Yield the key at *path* and all keys below it."""
    return (node for node in visit.bounded(path) if len(node.path) >= len(path))


def _key(node: Node) -> dict[str, Any]:
    return {
        "path": list(node.path),
        "offset": node.at,
        "written": node.written,
        "descriptor": display_text.descriptor_text(node.descriptor),
        "values": list(map(_value, node.values, node.places)),
    }


def _value(value: Value, at: int) -> dict[str, Any]:
    data = decode_value(value)
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
