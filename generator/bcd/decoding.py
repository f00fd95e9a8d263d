# SPDX-License-Identifier: Apache-2.0
"""A BCD store, which tells Windows' boot manager what to start, read from its hive into bcdedit's words.

A store is a hive with a key Objects. Each of its subkeys is an object, named by a GUID, with its type in the value
Type of its key Description, and a key Elements, where each subkey is an element, named by its number in hexadecimal,
with its data in the value Element. The number's digits are class, format, and six of a subtype.
"""

import re
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from ..hives.model import Value
from ..hives.value_text import decoded
from .words import (
    BOOT_MANAGER,
    HEXADECIMAL,
    OBJECT_TYPES,
    SETTINGS,
    TITLES,
    WELL_KNOWN_OBJECTS,
    element_names,
)

ElementValue = str | int | bool | tuple[str, ...] | tuple[int, ...] | bytes

_NUMBER: Final = re.compile("[0-9a-fA-F]{8}", re.ASCII)
_GUIDS: Final = {guid: name for name, guid in WELL_KNOWN_OBJECTS.items()}
_TYPES: Final = {number: name for name, number in OBJECT_TYPES.items()}
_DEVICE_FORM, _INTEGER, _BOOLEAN, _INTEGERS = 1, 5, 6, 7
_DEFAULT: Final = 0x23000003  # the boot manager's element that names the object it starts by itself
_COLUMN: Final = 24  # where bcdedit begins what an element is set to
# A device's element: the GUID of an object with options, then what the device is: type, flags, size, and what follows.
_DEVICE: Final = struct.Struct("<16sIIII")
_BLOCKS, _BOOT, _PARTITION, _LOCATE = 0, 5, 6, 8
_RAMDISK: Final = struct.pack("<I", 3)
# A partition: its GUID, or where it begins on the disk; the form of its table; the disk's GUID, or its signature.
_PLACE: Final = struct.Struct("<16sII16s")


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

    @property
    def shown(self) -> str:
        """What bcdedit calls it."""
        return self.name or f"custom:{self.number:08x}"


class BcdObject(NamedTuple):
    """An object: its GUID, bcdedit's names for that and for its type or nothing, and its elements by number."""

    guid: str
    name: str
    type: int
    type_name: str
    elements: tuple[Element, ...]

    @property
    def title(self) -> str:
        """What bcdedit puts above it."""
        return TITLES.get(self.name) or TITLES.get(self.type) or f"Object of type {self.type:08x}"


def read_store(keys: Iterable[HasValues]) -> tuple[BcdObject, ...] | None:
    """Return the objects of the BCD store that a hive with *keys* is, or None if it is none."""
    is_store = False
    types: dict[str, int] = {}
    found: dict[str, list[tuple[int, Value]]] = {}
    for key in keys:
        folded = tuple(name.lower() for name in key.path)
        if folded == ("objects",):
            is_store = True
        if folded[:1] != ("objects",) or not 2 <= len(folded) <= 4:
            continue
        guid, rest = folded[1], folded[2:]
        found.setdefault(guid, [])
        values = {value.name.lower(): value for value in key.values}
        if rest == ("description",) and "type" in values:
            kind = decoded(values["type"])
            types[guid] = kind if isinstance(kind, int) else 0
        elif len(rest) == 2 and rest[0] == "elements" and _NUMBER.fullmatch(rest[1]) and "element" in values:
            found[guid].append((int(rest[1], 16), values["element"]))
    if not is_store or not types:
        return None
    return tuple(_object(guid, types.get(guid, 0), elements) for guid, elements in found.items())


def _object(guid: str, kind: int, elements: list[tuple[int, Value]]) -> BcdObject:
    names = {number: name for name, number in element_names(kind).items()}
    elements.sort(key=lambda element: element[0])
    read = tuple(Element(number, names.get(number, ""), _value(number, value)) for number, value in elements)
    return BcdObject(guid, _GUIDS.get(guid, ""), kind, _TYPES.get(kind, ""), read)


def _value(number: int, value: Value) -> ElementValue:
    """Return what an element is set to, by the format in its *number*."""
    form, data = number >> 24 & 0xF, value.data
    if form == _DEVICE_FORM:
        return device_text(data) or data
    if form in {2, 3, 4}:
        return decoded(value)
    if form == _INTEGER and 0 < len(data) <= 8:
        return int.from_bytes(data, "little")
    if form == _BOOLEAN and len(data) == 1:
        return bool(data[0])
    if form == _INTEGERS and len(data) % 8 == 0:
        return tuple(int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8))
    return data


def device_text(data: bytes) -> str:
    """Return a device as bcdedit has it, as far as a store can say: a partition by its numbers, not by its letter.

    Return nothing for a device of another kind.
    """
    if len(data) < _DEVICE.size:
        return ""
    options, kind, _, size, _ = _DEVICE.unpack_from(data)
    rest = data[_DEVICE.size : 16 + size]
    if kind == _PARTITION:
        place = _partition(rest)
        return f"partition={place}" if place else ""
    if kind == _BLOCKS and rest[:4] == _RAMDISK:
        return _ramdisk(rest, UUID(bytes_le=options))
    return {_BOOT: "boot", _LOCATE: "locate"}.get(kind, "")


def _partition(data: bytes) -> str:
    if len(data) < _PLACE.size:
        return ""
    place, _, table, disk = _PLACE.unpack_from(data)
    if table == 0:
        return f"{{{UUID(bytes_le=place)}}} of disk {{{UUID(bytes_le=disk)}}}"
    at, signature = int.from_bytes(place[:8], "little"), int.from_bytes(disk[:4], "little")
    return f"0x{at:x} of disk 0x{signature:08x}"


def _ramdisk(data: bytes, options: UUID) -> str:
    """Return a ramdisk: somewhere in *data* is the partition that its file is on, a device too, and then its path."""
    at = data.find(struct.pack("<II", _PARTITION, 0))
    if at < 0:
        return ""
    end = at + int.from_bytes(data[at + 8 : at + 12], "little")
    path = data[end:].decode("utf-16-le", "replace").partition("\0")[0]
    return f"ramdisk=[{_partition(data[at + 16 : end])}]{path},{{{options}}}"


def default_object(store: Iterable[BcdObject]) -> str:
    """Return the GUID of the object that the boot manager of a *store* starts by itself, or nothing."""
    for each in store:
        for element in each.elements if each.type == BOOT_MANAGER else ():
            if element.number == _DEFAULT and isinstance(element.value, str):
                return element.value.lower()
    return ""


def identifier(guid: str, default: str) -> str:
    """Return what bcdedit calls the object *guid* in a store whose *default* object has that GUID."""
    folded = guid.lower()
    return _GUIDS.get(folded) or ("{default}" if folded == default and default else guid)


def value_lines(element: Element, default: str = "") -> list[str]:
    """Return what bcdedit prints for an element's value, a list item a line."""
    value, form = element.value, element.number >> 24 & 0xF
    if isinstance(value, bool):
        return ["Yes" if value else "No"]
    if isinstance(value, int):
        names = SETTINGS.get(element.name, ())
        if value < len(names):
            return [names[value]]
        return [f"0x{value:x}" if element.name in HEXADECIMAL else str(value)]
    if isinstance(value, str):
        return [identifier(value, default) if form == 3 else value]
    if isinstance(value, bytes):
        return [value.hex()]
    return [identifier(each, default) if isinstance(each, str) else f"0x{each:x}" for each in value]


def enumerate_all(store: Iterable[BcdObject]) -> list[str]:
    """Return what `bcdedit /enum all` prints of a *store*, line by line."""
    objects = list(store)
    default = default_object(objects)
    titles = {title: place for place, title in enumerate(TITLES.values())}
    lines: list[str] = []
    for each in sorted(objects, key=lambda one: (titles.get(one.title, len(titles)), one.guid != default)):
        lines += ["", each.title, "-" * len(each.title)]
        lines.append(f"{'identifier':<{_COLUMN - 1}} {identifier(each.guid, default)}")
        for element in each.elements:
            name = element.shown
            for text in value_lines(element, default) or [""]:
                lines.append(f"{name:<{_COLUMN - 1}} {text}".rstrip())
                name = ""
    return lines
