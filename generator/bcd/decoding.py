# SPDX-License-Identifier: Apache-2.0
"""Read a BCD store, Windows' boot configuration, from a hive's keys, and print it in bcdedit's words.

A store is a hive with a key Objects. Each of its subkeys is an object, named by a GUID, with its type in the value
Type of its key Description, and a key Elements, where each subkey is an element, named by its number in hexadecimal,
with its data in the value Element. The number's digits are class, format, and six of a subtype.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ..hives.model import Key, Value
from ..hives.reader import Node
from . import words
from .formats import ElementValue, Format, element_problem, element_value, format_of, type_problem

_NUMBER: Final = re.compile("[0-9a-fA-F]{8}", re.ASCII)
_GUIDS: Final = {guid: name for name, guid in words.WELL_KNOWN_OBJECTS.items()}
_TYPES: Final = {number: name for name, number in words.OBJECT_TYPES.items()}
_DEFAULT: Final = 0x23000003  # the boot manager's element for the object that it starts by default
_COLUMN: Final = 24  # the column of bcdedit's values
MAX_STORE: Final = 4 << 20  # bytes; a larger hive is not read as a BCD store where none is asked for


class Element(NamedTuple):
    """An element: its number, its name in bcdedit or an empty string, its value, and why Windows does not read it."""

    number: int
    name: str
    value: ElementValue
    problem: str = ""

    @property
    def shown(self) -> str:
        """The name that bcdedit prints."""
        return self.name or f"custom:{self.number:08x}"


class BcdObject(NamedTuple):
    """An object: its GUID, bcdedit's names for the GUID and the type or empty strings, and its elements by number.

    *problem* is why Windows does not read the type, or an empty string.
    """

    guid: str
    name: str
    type: int
    type_name: str
    elements: tuple[Element, ...]
    problem: str = ""

    @property
    def title(self) -> str:
        """The heading that bcdedit prints."""
        return words.TITLES.get(self.name) or words.TITLES.get(self.type) or f"Object of type {self.type:08x}"


def read_store(keys: Iterable[Key | Node]) -> tuple[BcdObject, ...] | None:
    """Return the objects of the BCD store that a hive with *keys* is, or None if it is not a BCD store."""
    is_store = False
    types: dict[str, Value] = {}
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
            types[guid] = values["type"]
        elif len(rest) == 2 and rest[0] == "elements" and _NUMBER.fullmatch(rest[1]) and "element" in values:
            found[guid].append((int(rest[1], 16), values["element"]))
    if not is_store or not types:
        return None
    return tuple(_object(guid, types.get(guid), elements) for guid, elements in found.items())


def _object(guid: str, stored: Value | None, elements: list[tuple[int, Value]]) -> BcdObject:
    kind = int.from_bytes(stored.data, "little") if stored is not None and len(stored.data) == 4 else 0
    names = {number: name for name, number in words.element_names(kind).items()}
    elements.sort(key=lambda element: element[0])
    read = tuple(
        Element(number, names.get(number, ""), element_value(number, value), element_problem(number, value))
        for number, value in elements
    )
    return BcdObject(guid, _GUIDS.get(guid, ""), kind, _TYPES.get(kind, ""), read, type_problem(stored))


def problems(store: Iterable[BcdObject]) -> Iterator[str]:
    """Yield a sentence for each object type and element of *store* that Windows does not read."""
    for each in store:
        shown = each.name or each.guid
        if each.problem:
            yield f"{shown}: Description\\Type is {each.problem}"
        for element in each.elements:
            if element.problem:
                yield f"{shown}: element {element.shown} is {element.problem}"


def default_object(store: Iterable[BcdObject]) -> str:
    """Return the GUID of the object that the boot manager of *store* starts by default, or an empty string."""
    elements = (element for each in store if each.type == words.BOOT_MANAGER for element in each.elements)
    values = (element.value for element in elements if element.number == _DEFAULT)
    return next((value.lower() for value in values if isinstance(value, str)), "")


def identifier(guid: str, default: str) -> str:
    """Return bcdedit's name for the object *guid*; *default* is the GUID of the store's default object."""
    folded = guid.lower()
    return _GUIDS.get(folded) or ("{default}" if folded == default and default else guid)


def value_lines(element: Element, default: str = "") -> list[str]:
    """Return the lines that bcdedit prints for an element's value, one for each item of a list."""
    value = element.value
    if isinstance(value, bool):
        return ["Yes" if value else "No"]
    if isinstance(value, int):
        names = words.SETTINGS.get(element.name, ())
        if value < len(names):
            return [names[value]]
        return [f"0x{value:x}" if element.name in words.HEXADECIMAL else str(value)]
    if isinstance(value, str):
        return [identifier(value, default) if format_of(element.number) == Format.OBJECT else value]
    if isinstance(value, bytes):
        return [value.hex()]
    return [identifier(each, default) if isinstance(each, str) else f"0x{each:x}" for each in value]


def enumerate_all(store: Iterable[BcdObject]) -> list[str]:
    """Return the lines that `bcdedit /enum all` prints for *store*, with a remark on what Windows does not read."""
    objects = list(store)
    default = default_object(objects)
    titles = {title: place for place, title in enumerate(words.TITLES.values())}
    lines: list[str] = []
    for each in sorted(objects, key=lambda one: (titles.get(one.title, len(titles)), one.guid != default)):
        lines += ["", each.title, "-" * len(each.title)]
        lines.append(f"{'identifier':<{_COLUMN - 1}} {identifier(each.guid, default)}")
        if each.problem:
            lines.append(f"{'type':<{_COLUMN - 1}} {each.type:08x}  [{each.problem}]")
        for element in each.elements:
            name, remark = element.shown, f"  [{element.problem}]" if element.problem else ""
            for text in value_lines(element, default) or [""]:
                lines.append(f"{name:<{_COLUMN - 1}} {text}{remark}".rstrip())
                name = remark = ""
    return lines
