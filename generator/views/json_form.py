# SPDX-License-Identifier: Apache-2.0
"""Layers, hives and images as a JSON document, in the form that inspect.schema.json describes."""

from typing import Any

from ..base.errors import GeneratorError
from ..bcd import decoding
from ..hives.cells import Buffer
from ..hives.check import findings
from ..hives.model import Value
from ..hives.reader import Node, Visit
from ..hives.rules import Level
from ..hives.value_text import decoded, type_name
from ..imageread.untar import FILE, Entry
from ..oci.blob import sha256
from . import entry_text
from .entry_path import Place, absent
from .opened import Damage, HiveFile, Image, Layer, Opened, is_hive

FORMAT = 1


def document(all_opened: list[tuple[Opened, Place]]) -> dict[str, Any]:
    """Return what was opened, each with the place in it that is asked for."""
    return {"format": FORMAT, "opened": [_subject(opened, place) for opened, place in all_opened]}


def _subject(opened: Opened, place: Place) -> dict[str, Any]:
    if isinstance(opened, HiveFile):
        size = {"size": len(opened.data), "digest": sha256(opened.data)}
        return {"kind": "hive", "name": opened.name, **size, "hive": hive(opened.data, place, opened.name)}
    if isinstance(opened, Layer):
        return _layer(opened, place)
    layers = [_layer(layer, place) for layer in opened.layers if not place.path or place.entries(layer.entries)]
    if place.path and not layers:
        raise absent(opened.name, place, [entry for layer in opened.layers for entry in layer.entries])
    return {
        "kind": "image",
        "name": opened.name,
        "facts": dict(entry_text.image_facts(opened.digest, opened.platform, opened.config)),
        "layers": layers,
        "damage": _damage(opened),
    }


def _layer(layer: Layer, place: Place) -> dict[str, Any]:
    entries = place.entries(layer.entries)
    if place.path and not entries:
        raise absent(layer.name, place, layer.entries)
    return {
        "kind": "layer",
        "name": layer.name,
        "size": len(layer.tar),
        "diffID": layer.diff_id or None,
        "compressedSize": layer.compressed,
        "digest": layer.digest,
        "entries": [_entry(layer, entry, place) for entry in entries],
        "damage": _damage(layer),
    }


def _entry(layer: Layer, entry: Entry, place: Place) -> dict[str, Any]:
    content = layer.content(entry) if entry.kind == FILE else b""
    found: dict[str, Any] = {
        "path": entry.name,
        "type": entry.kind,
        "offset": entry.offset,
        "size": entry.size,
        "mode": entry.mode,
        "time": entry.time,
        "target": entry.target,
        "attributes": list(entry_text.entry_attributes(entry.records)),
        "descriptor": entry_text.entry_descriptor(entry.records),
        "records": dict(entry.records),
    }
    if entry.kind == FILE:
        found["digest"] = sha256(content)
    if is_hive(content):
        found["hive"] = hive(content, place, entry.name)
    elif place.key is not None:
        raise GeneratorError(f"{layer.name}: {entry.name} is no hive, so it has no keys")
    return found


def hive(data: Buffer, place: Place, shown: str) -> dict[str, Any]:
    """Return a hive's keys, what it is as a BCD store, or null, and what is wrong with it."""
    path = place.key or ()
    visit = Visit(data)
    nodes = [node for node in visit.kept(path) if len(node.path) >= len(path)]
    if path and not nodes:
        raise GeneratorError(f"{shown}: has no key {chr(92).join(path)!r}")
    reading = visit.reading()
    descriptors = entry_text.Descriptors()
    store = decoding.read_store(nodes)
    return {
        "keys": [_key(node, descriptors) for node in nodes],
        "bcd": None if store is None else list(map(_object, store)),
        **findings(reading),
    }


def _key(node: Node, descriptors: entry_text.Descriptors) -> dict[str, Any]:
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


def _damage(opened: Layer | Image) -> list[dict[str, Any]]:
    return list(map(_one_damage, opened.damage))


def _one_damage(damage: Damage) -> dict[str, Any]:
    return {"part": damage.part, "offset": damage.offset, "message": damage.message}


def is_damaged(made: dict[str, Any]) -> bool:
    """Tell whether a document says of anything in it that it could not be read on."""
    todo: list[Any] = [made]
    while todo:
        each = todo.pop()
        if isinstance(each, list):
            todo += each
        elif isinstance(each, dict):
            if each.get("damage") or any(one.get("level") == Level.REFUSED for one in each.get("findings", ())):
                return True
            todo += [each[name] for name in ("opened", "layers", "entries", "hive") if name in each]
    return False
