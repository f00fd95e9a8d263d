# SPDX-License-Identifier: Apache-2.0
"""Formats of BCD elements: decoding, and which registry types and sizes Windows does not read."""

import struct
from typing import Any

import pytest

from generator.base.toml import KeyPath
from generator.bcd import decoding, encoding
from generator.bcd.encoding import ObjectSpec
from generator.bcd.formats import Format, element_problem, element_value
from generator.hives.model import REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ, Key, Value

GUID = "{6a6c1f1b-59d4-11ea-9438-9402e6abd998}"
OTHER = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
BOOT = bytes(16) + struct.pack("<IIII", 5, 0, 72, 0) + bytes(56)


def wide(text: str) -> bytes:
    return text.encode("utf-16-le")


def data_of(form: int) -> bytes:
    """Return data that Windows reads for the format *form*."""
    return {
        Format.DEVICE: BOOT,
        Format.STRING: wide("text\0"),
        Format.OBJECT: wide(f"{GUID}\0"),
        Format.OBJECT_LIST: wide(f"{GUID}\0{OTHER}\0\0"),
        Format.INTEGER: bytes(8),
        Format.BOOLEAN: b"\1",
        Format.INTEGER_LIST: bytes(16),
    }[Format(form)]


def number(form: int) -> int:
    return 0x10000001 | form << 24


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("kind", [0, REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ, 11, 99])
def test_windows_reads_an_element_of_one_registry_type(form: Format, kind: int) -> None:
    wanted = {Format.STRING: REG_SZ, Format.OBJECT: REG_SZ, Format.OBJECT_LIST: REG_MULTI_SZ}.get(form, REG_BINARY)
    problem = element_problem(number(form), Value("Element", kind, data_of(form)))
    assert (problem == "") == (kind == wanted)
    name = {REG_SZ: "REG_SZ", REG_MULTI_SZ: "REG_MULTI_SZ", REG_BINARY: "REG_BINARY"}[wanted]
    assert problem == "" or problem.endswith(f"; Windows reads a {name}")


@pytest.mark.parametrize(
    ("form", "kind", "data", "problem"),
    [
        (Format.DEVICE, REG_BINARY, BOOT[:-1], "a REG_BINARY of 87 bytes; Windows reads a device with its own size"),
        (Format.DEVICE, REG_BINARY, b"", "a REG_BINARY of 0 bytes; Windows reads a device with its own size"),
        (Format.STRING, REG_SZ, b"", "a REG_SZ of 0 bytes; Windows reads UTF-16 text"),
        (Format.STRING, REG_SZ, b"abc", "a REG_SZ of 3 bytes; Windows reads UTF-16 text"),
        (Format.STRING, REG_SZ, wide("no NUL"), ""),
        (Format.OBJECT, REG_SZ, wide("boot\0"), "a REG_SZ of 10 bytes; Windows reads a GUID in braces"),
        (Format.OBJECT, REG_SZ, wide(f"{GUID}\0rest\0"), ""),
        (Format.OBJECT_LIST, REG_MULTI_SZ, wide("x\0\0"), "a REG_MULTI_SZ of 6 bytes; Windows reads GUIDs in braces"),
        (Format.OBJECT_LIST, REG_MULTI_SZ, wide("\0"), ""),
        (Format.INTEGER, REG_BINARY, bytes(9), "a REG_BINARY of 9 bytes; Windows reads 1 to 8 bytes"),
        (Format.INTEGER, REG_BINARY, b"", "a REG_BINARY of 0 bytes; Windows reads 1 to 8 bytes"),
        (Format.INTEGER, REG_BINARY, bytes(4), ""),
        (Format.BOOLEAN, REG_BINARY, bytes(2), "a REG_BINARY of 2 bytes; Windows reads 1 byte"),
        (
            Format.INTEGER_LIST,
            REG_BINARY,
            bytes(12),
            "a REG_BINARY of 12 bytes; Windows reads 8 bytes for each integer",
        ),
        (8, REG_BINARY, b"anything", ""),
        (0, REG_DWORD, bytes(4), "a REG_DWORD; Windows reads a REG_BINARY"),
    ],
)
def test_windows_reads_an_element_of_a_fitting_size(form: int, kind: int, data: bytes, problem: str) -> None:
    assert element_problem(number(form), Value("Element", kind, data)) == problem


@pytest.mark.parametrize(
    ("form", "kind", "data", "value"),
    [
        (Format.DEVICE, REG_BINARY, BOOT, "boot"),
        (Format.STRING, REG_SZ, wide("boot\0\0"), "boot"),
        (Format.STRING, REG_SZ, wide("boot\0hidden\0"), "boot"),
        (Format.STRING, REG_SZ, wide("\0"), ""),
        (Format.STRING, REG_SZ, wide("boot"), "boot"),
        (Format.STRING, REG_SZ, b"abc", b"abc"),
        (Format.STRING, REG_BINARY, wide("a\0"), wide("a\0")),
        (Format.OBJECT, REG_SZ, wide(f"{GUID}\0\0"), GUID),
        (Format.OBJECT_LIST, REG_MULTI_SZ, wide(f"{GUID}\0{OTHER}\0\0"), (GUID, OTHER)),
        (Format.OBJECT_LIST, REG_MULTI_SZ, wide(f"{GUID}\0\0{OTHER}\0\0"), (GUID,)),
        (Format.OBJECT_LIST, REG_MULTI_SZ, wide("\0"), ()),
        (Format.INTEGER, REG_BINARY, b"\2\1", 0x102),
        (Format.BOOLEAN, REG_BINARY, b"\2", True),
        (Format.INTEGER_LIST, REG_BINARY, b"\1" + bytes(7), (1,)),
        (Format.INTEGER_LIST, REG_BINARY, b"\1", b"\1"),
    ],
)
def test_an_element_is_decoded_by_its_format_up_to_the_nul_that_ends_it(
    form: Format, kind: int, data: bytes, value: Any
) -> None:
    assert element_value(number(form), Value("Element", kind, data)) == value


STORE = (
    ObjectSpec("{bootmgr}", "bootmgr", {"default": GUID, "timeout": 30, "displayorder": [GUID], "bootdebug": True}),
    ObjectSpec(GUID, "osloader", {"description": "x", "path": "y", "allowedinmemorysettings": [1, 2]}),
)


def test_a_store_that_is_encoded_here_has_no_problems() -> None:
    store = decoding.read_store(encoding.store(STORE, KeyPath("f", "bcd")))
    assert store is not None
    assert list(decoding.problems(store)) == []
    assert not any("[" in line for line in decoding.enumerate_all(store))


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        (Value("Type", REG_BINARY, struct.pack("<I", 0x10200003)), "a REG_BINARY; Windows reads a REG_DWORD"),
        (Value("Type", REG_DWORD, b"\3"), "a REG_DWORD of 1 byte; Windows reads 4 bytes"),
        (None, "missing; Windows reads a REG_DWORD"),
    ],
)
def test_problems_are_reported_for_elements_and_types(stored: Value | None, problem: str) -> None:
    keys = []
    for key in encoding.store(STORE, KeyPath("f", "bcd")):
        values = key.values
        if key.path[-1:] == ("25000004",):
            values = (Value("Element", REG_DWORD, bytes(4)),)
        elif key.path == ("Objects", GUID, "Description"):
            values = (stored,) if stored else ()
        keys.append(Key(key.path, values))
    store = decoding.read_store(keys)
    assert store is not None
    assert list(decoding.problems(store)) == [
        "{bootmgr}: element timeout is a REG_DWORD; Windows reads a REG_BINARY",
        f"{GUID}: Description\\Type is {problem}",
    ]
    shown = decoding.enumerate_all(store)
    assert "timeout                 0  [a REG_DWORD; Windows reads a REG_BINARY]" in shown
    assert sum(line.startswith("type ") and line.endswith(f"  [{problem}]") for line in shown) == 1
