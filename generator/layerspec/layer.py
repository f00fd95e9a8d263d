# SPDX-License-Identifier: Apache-2.0
"""Parse a layer's specification, a TOML file, into typed, frozen records.

msgspec checks the types; then the rules of Windows and the tar format are checked. Each error is one line: file,
TOML key path, problem, hint.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ..base import toml
from ..base.errors import GeneratorError, brief, shorten
from ..base.home import LAYERS
from ..base.reading import read_file
from ..base.toml import KeyPath, TomlTable
from ..bcd import encoding
from ..bcd.encoding import ObjectSpec
from ..hives import model, value_encoding
from ..hives.model import MAX_SUBKEYS, Hive, Key, Value, fold_name
from ..languages.table import refused_names
from .paths import check_paths

MAX_SPEC = 1 << 20  # bytes; far above any real specification
MAX_KEY_NAME = 255  # characters, "Registry element size limits", Microsoft
MAX_VALUE_NAME = 16_383  # characters, the same
MAX_LEVELS = 512  # the same; the root is the first

LAYER_NAME = re.compile(r"[a-z][a-z0-9]{0,31}")


@dataclass(frozen=True, slots=True)
class SpecFile:
    """A file of a layer: its path in the tar, and its bytes or its hive."""

    path: str
    content: bytes | Hive


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """A checked specification, with *files* in the order of the TOML file."""

    name: str
    files: tuple[SpecFile, ...]


class _Value(TomlTable, frozen=True):
    type: str
    data: Any
    name: str = ""


class _Key(TomlTable, frozen=True):
    path: str
    values: tuple[_Value, ...] = ()


class _Hive(TomlTable, frozen=True):
    keys: tuple[_Key, ...] = ()


class _Bcd(TomlTable, frozen=True):
    objects: tuple[ObjectSpec, ...] = ()


class _File(TomlTable, frozen=True):
    path: str
    bcd: _Bcd | None = None
    hive: _Hive | None = None
    text: str | None = None
    hex: str | None = None


class _Layer(TomlTable, frozen=True):
    files: tuple[_File, ...]


def load(path: Path, shown: str) -> LayerSpec:
    """Return the checked layer of the TOML file *path*; *shown* is its path below the project's root.

    Raises GeneratorError for an unreadable file or an invalid specification.
    """
    name = shown.removeprefix(f"{LAYERS}/").removesuffix(".toml")
    if not LAYER_NAME.fullmatch(name) or name in refused_names():
        raise GeneratorError(
            f"{shown}: invalid layer name {brief(name)}; "
            "hint: name the file by 1 to 32 of a-z and 0-9, a letter first, and no reserved word of a language"
        )
    return parse(name, read_file(path, shown, MAX_SPEC), shown)


def parse(name: str, raw: bytes, shown: str) -> LayerSpec:
    """Return the checked layer of the TOML document *raw*, in UTF-8; raises GeneratorError as load() does."""
    document = toml.parse(raw, shown)
    try:
        record = msgspec.convert(document, _Layer)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        raise KeyPath(shown, where.strip("`").lstrip(".") or "(top level)").error(
            shorten(what), "CONTRIBUTING.md lists every key and its type"
        ) from error
    place = KeyPath(shown, "files")
    if not record.files:
        raise place.error("the layer has no files", "add at least one file")
    check_paths([file.path for file in record.files], place)
    return LayerSpec(name, tuple(_file(file, place.at(f"[{i}]")) for i, file in enumerate(record.files)))


def _file(file: _File, place: KeyPath) -> SpecFile:
    given = [kind for kind in _CONTENTS if getattr(file, kind) is not None]
    for second in given[1:]:
        raise place.at(second).error(f"a second content besides {given[0]}", "use at most one of bcd, hive, text, hex")
    contents = [_CONTENTS[kind](getattr(file, kind), place.at(kind)) for kind in given]
    return SpecFile(file.path, contents[0] if contents else b"")


def _hive(record: _Hive, place: KeyPath) -> Hive:
    """Return the hive of a table: keys by path, including parents that the table omits."""
    found: dict[tuple[str, ...], tuple[Value, ...]] = {(): ()}
    origins: dict[tuple[str, ...], KeyPath] = {(): place}  # where the TOML first needs each key
    named: dict[tuple[str, ...], KeyPath] = {}
    for index, key in enumerate(record.keys):
        at = place.at(f"keys[{index}]")
        path = tuple(key.path.split("\\")) if key.path else ()
        if len(path) >= MAX_LEVELS:
            hint = f"nest at most {MAX_LEVELS} levels, including the root"
            raise at.at("path").error(f"the key is on level {len(path) + 1}", hint)
        if path in named:
            raise at.at("path").error(f"duplicate key {brief(key.path)} of {named[path].key}", "name each key once")
        named[path] = origins[path] = at
        for end in range(1, len(path)):
            found.setdefault(path[:end], ())
            origins.setdefault(path[:end], at)
        found[path] = tuple(_value(v, at.at(f"values[{i}]")) for i, v in enumerate(key.values))
    hive = tuple(Key(path, values) for path, values in found.items())
    _check_hive(hive, origins)
    return hive


def _check_hive(hive: Hive, origins: Mapping[tuple[str, ...], KeyPath]) -> None:
    """Refuse keys and values that hivex would write in a form that Windows does not accept."""
    names: dict[tuple[str, ...], dict[str, str]] = {}
    for key in hive:
        at = origins[key.path]
        if key.path:
            _check_key_name(key.path[-1], names.setdefault(key.path[:-1], {}), at.at("path"))
        seen: dict[str, int] = {}
        for index, value in enumerate(key.values):
            spot = at.at(f"values[{index}]")
            value_encoding.check_size(value.data, spot.at("data"))
            if (first := seen.setdefault(fold_name(value.name), index)) != index:
                problem = f"duplicate value name {brief(value.name)} of values[{first}]"
                raise spot.at("name").error(problem, "name each value once; case does not count")


def _check_key_name(name: str, siblings: dict[str, str], place: KeyPath) -> None:
    """Check the name of a subkey and add it to *siblings*, the names before it by their upper case."""
    if not 1 <= len(name) <= MAX_KEY_NAME or not (name.isascii() and name.isprintable()) or "\\" in name:
        hint = f"use 1 to {MAX_KEY_NAME} printable ASCII characters, no backslash"
        raise place.error(f"invalid key name {brief(name)}", hint)
    if (first := siblings.get(name.upper())) is not None:
        raise place.error(f"{brief(name)} differs from {brief(first)} in case only", "use one spelling for a key")
    siblings[name.upper()] = name
    if len(siblings) > MAX_SUBKEYS:
        raise place.error(f"its parent has more than {MAX_SUBKEYS} subkeys", f"use at most {MAX_SUBKEYS} per key")


def _value(record: _Value, place: KeyPath) -> Value:
    if len(record.name.encode("utf-16-le")) // 2 > MAX_VALUE_NAME or "\0" in record.name:
        raise place.at("name").error("invalid value name", f"use at most {MAX_VALUE_NAME} characters, no NUL")
    if record.type not in _TYPES:
        raise place.at("type").error(f"unknown value type {brief(record.type)}", f"use one of {', '.join(_TYPES)}")
    number, encode = _TYPES[record.type]
    return Value(record.name, number, encode(record.data, place.at("data")))


def _hex(data: Any, place: KeyPath) -> bytes:
    if not isinstance(data, str):
        raise value_encoding.out_of_place(data, place, "use a string of hexadecimal digits")
    try:
        return bytes.fromhex(data)
    except ValueError as error:
        hint = "use pairs of digits 0-9 and a-f, optionally separated by white space"
        raise place.error("invalid hexadecimal", hint) from error


def _texts(data: Any, place: KeyPath) -> bytes:
    if not isinstance(data, list):
        raise value_encoding.out_of_place(data, place, "use a list of strings")
    parts = [(item, place.at(f"[{index}]")) for index, item in enumerate(data)]
    for item, at in parts:
        if item == "":
            raise at.error("an empty string ends the list early", "leave it out")
    return b"".join(value_encoding.text(item, at) for item, at in parts) + b"\0\0"


_TYPES: dict[str, tuple[int, Callable[[Any, KeyPath], bytes]]] = {
    "REG_NONE": (model.REG_NONE, _hex),
    "REG_SZ": (model.REG_SZ, value_encoding.text),
    "REG_EXPAND_SZ": (model.REG_EXPAND_SZ, value_encoding.text),
    "REG_BINARY": (model.REG_BINARY, _hex),
    "REG_DWORD": (model.REG_DWORD, partial(value_encoding.number, "<I")),
    "REG_DWORD_BIG_ENDIAN": (model.REG_DWORD_BIG_ENDIAN, partial(value_encoding.number, ">I")),
    "REG_MULTI_SZ": (model.REG_MULTI_SZ, _texts),
    "REG_QWORD": (model.REG_QWORD, partial(value_encoding.number, "<Q")),
}


_CONTENTS: dict[str, Callable[[Any, KeyPath], bytes | Hive]] = {
    "bcd": lambda bcd, place: encoding.store(bcd.objects, place),
    "hive": _hive,
    "text": lambda text, _: text.encode("utf-8"),
    "hex": _hex,
}


def hives(layer: LayerSpec) -> Iterator[tuple[str, Hive]]:
    """Yield the path and the hive of each hive file of *layer*."""
    for file in layer.files:
        if isinstance(file.content, tuple):
            yield file.path, file.content
