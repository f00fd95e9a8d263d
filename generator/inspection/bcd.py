# SPDX-License-Identifier: Apache-2.0
"""A BCD store, which tells Windows' boot manager what to start, read from its hive into bcdedit's words.

A store is a hive with a key Objects. Each of its subkeys is an object, named by a GUID, with its type in the value
Type of its key Description, and a key Elements, where each subkey is an element, named by its number in hexadecimal,
with its data in the value Element. The number's digits are class, format, and six of a subtype.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from ..hives.model import Value
from ..spec.bcd import ELEMENTS_BY_OBJECT, LIBRARY_ELEMENTS, OBJECT_TYPES, WELL_KNOWN_OBJECTS
from .tree import decoded

ElementValue = str | int | bool | tuple[str, ...] | tuple[int, ...] | bytes

_NUMBER: Final = re.compile("[0-9a-fA-F]{8}")
_GUIDS: Final = {guid: name for name, guid in WELL_KNOWN_OBJECTS.items()}
_TYPES: Final = {number: name for name, number in OBJECT_TYPES.items()}


class HasValues(Protocol):
    """A key, as the reader has it or as a plain record."""

    @property
    def path(self) -> tuple[str, ...]:
        """The names of keys from below the root down."""

    @property
    def values(self) -> tuple[Value, ...]:
        """Its values."""


class Element(NamedTuple):
    """An element: its number, bcdedit's word for that or nothing, and its value, in bytes where that cannot be told."""

    number: int
    name: str
    value: ElementValue


class BcdObject(NamedTuple):
    """An object: its GUID, bcdedit's names for that and for its type or nothing, and its elements by number."""

    guid: str
    name: str
    type: int
    type_name: str
    elements: tuple[Element, ...]


def read_store(keys: Iterable[HasValues]) -> tuple[BcdObject, ...] | None:
    """Return the objects of the BCD store that a hive with *keys* is, or None if it is none."""
    is_store = False
    types: dict[str, int] = {}
    found: dict[str, list[tuple[int, Value]]] = {}
    for key in keys:
        folded = tuple(name.lower() for name in key.path)
        if folded == ("objects",):
            is_store = True
        if folded[:1] != ("objects",) or len(folded) < 2:
            continue
        guid, rest = folded[1], folded[2:]
        found.setdefault(guid, [])
        values = {value.name.lower(): value for value in key.values}
        if rest == ("description",) and "type" in values:
            kind = decoded(values["type"])
            types[guid] = kind if isinstance(kind, int) else 0
        elif len(rest) == 2 and rest[0] == "elements" and _NUMBER.fullmatch(rest[1]) and "element" in values:
            found[guid].append((int(rest[1], 16), values["element"]))
    if not is_store:
        return None
    return tuple(_object(guid, types.get(guid, 0), elements) for guid, elements in found.items())


def _object(guid: str, kind: int, elements: list[tuple[int, Value]]) -> BcdObject:
    names = {number: name for name, number in (LIBRARY_ELEMENTS | ELEMENTS_BY_OBJECT.get(kind, {})).items()}
    read = (
        Element(number, names.get(number, ""), _value(number, value))
        for number, value in sorted(elements, key=lambda e: e[0])
    )
    return BcdObject(guid, _GUIDS.get(guid, ""), kind, _TYPES.get(kind, ""), tuple(read))


def _value(number: int, value: Value) -> ElementValue:
    """Return what an element is set to, by the format in its *number*."""
    form, data = number >> 24 & 0xF, value.data
    if form in {2, 3, 4}:
        return decoded(value)
    if form == 5 and 0 < len(data) <= 8:
        return int.from_bytes(data, "little")
    if form == 6 and len(data) == 1:
        return bool(data[0])
    if form == 7 and len(data) % 8 == 0:
        return tuple(int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8))
    return data
