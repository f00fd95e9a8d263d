# SPDX-License-Identifier: Apache-2.0
"""Encode BCD objects and their elements as the registry keys and values of a store.

words.py has the names and their numbers, formats.py the registry types. The two root values are those that bcdedit
writes into a new store, as collected by buildpacks/imgutil.
"""

import difflib
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from ..base.errors import brief
from ..base.toml import KeyPath
from ..hives import value_encoding
from ..hives.model import MAX_SUBKEYS, REG_DWORD, REG_SZ, Hive, Key, Value
from .formats import GUID, REGISTRY_TYPES, Format, format_of
from .words import BOOT_MANAGER, OBJECT_TYPES, WELL_KNOWN_OBJECTS, element_names


class ObjectSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An object to encode: a GUID or a well-known name, a type, and elements by name or number."""

    id: str
    type: str | int
    elements: dict[str, Any] = {}


def store(objects: Sequence[ObjectSpec], place: KeyPath) -> Hive:
    """Return the keys and values of a BCD store that holds *objects*, in their order.

    Raises GeneratorError, with the TOML key path below *place*, if a store cannot hold them.
    """
    description = (_dword("FirmwareModified", 1), Value("KeyName", REG_SZ, value_encoding.stored("BCD00000000")))
    keys = [Key(()), Key(("Description",), description), Key(("Objects",))]
    _check_count(objects, place.at("objects"))
    seen: dict[str, str] = {}
    defaults: dict[str, KeyPath] = {}
    for index, item in enumerate(objects):
        at = place.at(f"objects[{index}]")
        guid = _guid(item.id, at.at("id"))
        if guid in seen:
            raise at.at("id").error(f"object {guid} is a duplicate of {seen[guid]}", "name each object once")
        seen[guid] = at.at("id").key
        object_type = _object_type(item.type, at.at("type"))
        path = ("Objects", guid)
        keys += [Key(path), Key((*path, "Description"), (_dword("Type", object_type),))]
        keys += _elements((*path, "Elements"), object_type, item.elements, at.at("elements"))
        default = item.elements.get("default") or item.elements.get("0x23000003")
        if object_type == BOOT_MANAGER and default is not None:
            defaults[_guid(default, place)] = at.at("elements")
    for guid, at in defaults.items():
        if guid not in seen:
            raise at.error(f"the default object {guid} is not in the store", "name one of the store's objects")
    return tuple(keys)


def _elements(path: tuple[str, ...], object_type: int, elements: Mapping[str, Any], place: KeyPath) -> list[Key]:
    _check_count(elements, place)
    keys = [Key(path)]
    seen: dict[int, str] = {}
    for word, data in elements.items():
        at = place.at(word)
        number = _element_number(word, object_type, at)
        if number in seen:
            raise at.error(f"element 0x{number:08x} is a duplicate of {brief(seen[number])}", "give each element once")
        seen[number] = word
        form = format_of(number)
        stored = _ENCODERS[form](data, at)
        value_encoding.check_size(stored, at)
        keys.append(Key((*path, f"{number:08x}"), (Value("Element", REGISTRY_TYPES[form], stored),)))
    return keys


def _check_count(things: Sequence[ObjectSpec] | Mapping[str, Any], place: KeyPath) -> None:
    if len(things) > MAX_SUBKEYS:
        raise place.error(f"{len(things)} are too many for one key", f"keep to {MAX_SUBKEYS}")


def _object_type(word: str | int, place: KeyPath) -> int:
    if isinstance(word, str):
        if word not in OBJECT_TYPES:
            hint = f"use one of {', '.join(OBJECT_TYPES)} or a number"
            raise place.error(f"{brief(word)} is not an object type", hint)
        return OBJECT_TYPES[word]
    return value_encoding.integer(word, place, 32)


def _element_number(word: str, object_type: int, place: KeyPath) -> int:
    names = {name: number for name, number in element_names(object_type).items() if format_of(number) in _ENCODERS}
    if word in names:
        return names[word]
    if not re.fullmatch(r"0x[0-9a-fA-F]{8}", word):
        near = ", ".join(difflib.get_close_matches(word[:80], names)) or "description"
        raise place.error(
            f"{brief(word)} is not an element of this object",
            f"use a name listed in generator/bcd/words.py, such as {near}, or a number 0xCFSSSSSS",
        )
    number = int(word, 16)
    form = format_of(number)
    if form == Format.DEVICE:
        raise place.error("device elements are not supported", "use an element of another format, 0xC2… to 0xC7…")
    if form not in _ENCODERS:
        raise place.error(f"element format {form} is unknown", "use a format from 2 to 7, 0xC2… to 0xC7…")
    return number


def _guid(word: Any, place: KeyPath) -> str:
    known = WELL_KNOWN_OBJECTS.get(word, word) if isinstance(word, str) else None
    if known is None or not GUID.fullmatch(known):
        hint = "use a GUID in braces or one of " + ", ".join(WELL_KNOWN_OBJECTS)
        raise place.error(f"{brief(word)} is not an object", hint)
    return known.lower()


def _encode_list(encode: Callable[[Any, KeyPath], bytes], data: Any, place: KeyPath) -> bytes:
    if not isinstance(data, list) or not data:
        raise value_encoding.out_of_place(data, place, "use a list of at least one item")
    return b"".join(encode(item, place.at(f"[{index}]")) for index, item in enumerate(data))


def _dword(name: str, number: int) -> Value:
    return Value(name, REG_DWORD, struct.pack("<I", number))


def _encode_object(data: Any, place: KeyPath) -> bytes:
    return value_encoding.stored(_guid(data, place))


def _encode_boolean(data: Any, place: KeyPath) -> bytes:
    if not isinstance(data, bool):
        raise value_encoding.out_of_place(data, place, "use true or false")
    return bytes([data])


_encode_integer = partial(value_encoding.number, "<Q")
_ENCODERS: dict[int, Callable[[Any, KeyPath], bytes]] = {
    Format.STRING: value_encoding.text,
    Format.OBJECT: _encode_object,
    Format.OBJECT_LIST: lambda data, place: _encode_list(_encode_object, data, place) + b"\0\0",
    Format.INTEGER: _encode_integer,
    Format.BOOLEAN: _encode_boolean,
    Format.INTEGER_LIST: partial(_encode_list, _encode_integer),
}
