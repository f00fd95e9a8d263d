# SPDX-License-Identifier: Apache-2.0
"""Encode BCD words: the resulting registry keys and values, and refused words."""

import re
from typing import Any

import pytest

from generator.base.errors import GeneratorError
from generator.base.toml import KeyPath
from generator.bcd import encoding, formats, words
from generator.bcd.encoding import ObjectSpec
from generator.hives.model import REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_SZ, Hive, Key, Value

GUID = "{6a6c1f1b-59d4-11ea-9438-9402e6abd998}"
BOOTMGR = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
PLACE = KeyPath("a.toml", "bcd")


def store(*objects: ObjectSpec) -> Hive:
    return encoding.store(objects, PLACE)


def element(word: str, data: Any, kind: str | int = 0x10200003) -> tuple[str, Value]:
    """Return the key name and the value that an element of an object of type *kind* becomes."""
    *_, key = store(ObjectSpec(GUID, kind, {word: data}))
    assert key.path[:-1] == ("Objects", GUID, "Elements")
    (value,) = key.values
    assert value.name == "Element"
    return key.path[-1], value


def refusal(*objects: ObjectSpec) -> str:
    with pytest.raises(GeneratorError) as refused:
        store(*objects)
    return str(refused.value)


def wide(text: str) -> bytes:
    return text.encode("utf-16-le")


def test_a_store_has_the_keys_and_values_that_imgutil_writes() -> None:
    found = store(
        ObjectSpec(GUID, "osloader", {"description": "winscratch"}),
        ObjectSpec("{bootmgr}", "bootmgr", {"default": GUID}),
    )
    assert found == (
        Key(()),
        Key(
            ("Description",),
            (Value("FirmwareModified", REG_DWORD, b"\1\0\0\0"), Value("KeyName", REG_SZ, wide("BCD00000000\0"))),
        ),
        Key(("Objects",)),
        Key(("Objects", GUID)),
        Key(("Objects", GUID, "Description"), (Value("Type", REG_DWORD, b"\3\0\x20\x10"),)),
        Key(("Objects", GUID, "Elements")),
        Key(("Objects", GUID, "Elements", "12000004"), (Value("Element", REG_SZ, wide("winscratch\0")),)),
        Key(("Objects", BOOTMGR)),
        Key(("Objects", BOOTMGR, "Description"), (Value("Type", REG_DWORD, b"\2\0\x10\x10"),)),
        Key(("Objects", BOOTMGR, "Elements")),
        Key(("Objects", BOOTMGR, "Elements", "23000003"), (Value("Element", REG_SZ, wide(f"{GUID}\0")),)),
    )


@pytest.mark.parametrize(
    ("word", "data", "kind", "stored"),
    [
        ("0x12345678", "aä𝄞", REG_SZ, wide("aä𝄞\0")),
        ("0x12345678", "", REG_SZ, b"\0\0"),
        ("0x13000001", GUID.upper(), REG_SZ, wide(f"{GUID}\0")),
        ("0x13000001", "{bootmgr}", REG_SZ, wide(f"{BOOTMGR}\0")),
        ("0x14000001", [GUID, "{bootmgr}"], REG_MULTI_SZ, wide(f"{GUID}\0{BOOTMGR}\0\0")),
        ("0x15000001", 0x0102, REG_BINARY, b"\2\1\0\0\0\0\0\0"),
        ("0x15000001", 2**64 - 1, REG_BINARY, b"\xff" * 8),
        ("0x16000001", True, REG_BINARY, b"\1"),
        ("0x16000001", False, REG_BINARY, b"\0"),
        ("0x17000001", [1, 2], REG_BINARY, b"\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"),
    ],
)
def test_an_elements_format_decides_its_registry_type_and_bytes(word: str, data: Any, kind: int, stored: bytes) -> None:
    assert element(word, data) == (word[2:], Value("Element", kind, stored))


def test_an_elements_number_is_stored_in_lower_case() -> None:
    assert element("0x160000A0", True)[0] == "160000a0"


@pytest.mark.parametrize(
    ("kind", "word", "data", "number"),
    [
        ("bootmgr", "default", GUID, "23000003"),
        ("bootmgr", "resumeobject", GUID, "23000006"),
        ("osloader", "resumeobject", GUID, "23000003"),
        ("bootmgr", "timeout", 1, "25000004"),
        ("osloader", "nx", 1, "25000020"),
        ("osloader", "description", "x", "12000004"),
        ("resume", "description", "x", "12000004"),
        (0x10200003, "systemroot", "x", "22000002"),
    ],
)
def test_a_name_has_the_number_of_its_object_type(kind: str | int, word: str, data: Any, number: str) -> None:
    assert element(word, data, kind)[0] == number


@pytest.mark.parametrize(("kind", "word"), [("osloader", "default"), ("bootmgr", "nx"), ("resume", "timeout")])
def test_a_name_of_another_object_type_is_refused(kind: str, word: str) -> None:
    line = refusal(ObjectSpec(GUID, kind, {word: 1}))
    assert line.startswith(
        f"a.toml: bcd.objects[0].elements.{word}: '{word}' is not an element of this object; hint: use "
    )


@pytest.mark.parametrize("number", ["0x11000001", "0x21000001", "0x31FFFFFF"])
def test_device_elements_are_refused(number: str) -> None:
    line = refusal(ObjectSpec(GUID, "osloader", {number: "x"}))
    assert line == (
        f"a.toml: bcd.objects[0].elements.{number}: device elements are not supported; "
        "hint: use an element of another format, 0xC2… to 0xC7…"
    )


@pytest.mark.parametrize("number", ["0x10000001", "0x18000001", "0x1f000001"])
def test_unknown_formats_are_refused(number: str) -> None:
    assert f"element format {int(number[3], 16)} is unknown; hint: use" in refusal(ObjectSpec(GUID, 1, {number: "x"}))


@pytest.mark.parametrize("word", ["0x1200000", "0x120000001", "12000004", "0X12000004", "0x1200000g", " path"])
def test_a_number_is_eight_digits_after_0x(word: str) -> None:
    assert "is not an element of this object" in refusal(ObjectSpec(GUID, 1, {word: "x"}))


@pytest.mark.parametrize(
    ("word", "data", "mend"),
    [
        ("0x12000001", 1, "use a string without NUL"),
        ("0x12000001", "\0", "use a string without NUL"),
        ("0x13000001", "x", "use a GUID in braces or one of {bootmgr}, "),
        ("0x13000001", 1, "use a GUID in braces"),
        ("0x13000001", GUID[1:-1], "use a GUID in braces"),
        ("0x13000001", GUID + "\n", "use a GUID in braces"),
        ("0x14000001", GUID, "use a list of at least one item"),
        ("0x14000001", [], "use a list of at least one item"),
        ("0x15000001", -1, "use an integer from 0 to 2^64 - 1"),
        ("0x15000001", 2**64, "use an integer from 0 to 2^64 - 1"),
        ("0x15000001", True, "use an integer from 0 to 2^64 - 1"),
        ("0x16000001", 1, "use true or false"),
        ("0x17000001", 1, "use a list of at least one item"),
    ],
)
def test_data_of_another_format_is_refused(word: str, data: Any, mend: str) -> None:
    line = refusal(ObjectSpec(GUID, "osloader", {word: data}))
    assert line.startswith(f"a.toml: bcd.objects[0].elements.{word}: ")
    assert f"; hint: {mend}" in line


def test_an_item_of_a_list_is_refused_by_its_index() -> None:
    assert ".0x14000001[1]: 'x' is not" in refusal(ObjectSpec(GUID, 1, {"0x14000001": [GUID, "x"]}))
    assert ".0x17000001[0]: -1 is out" in refusal(ObjectSpec(GUID, 1, {"0x17000001": [-1]}))


def test_duplicate_elements_are_refused() -> None:
    line = refusal(ObjectSpec(GUID, "osloader", {"description": "a", "0x12000004": "b"}))
    assert "elements.0x12000004: element 0x12000004 is a duplicate of 'description'; hint: give each" in line


def test_duplicate_objects_are_refused() -> None:
    line = refusal(ObjectSpec("{bootmgr}", "bootmgr", {}), ObjectSpec(BOOTMGR.upper(), "bootmgr", {}))
    assert line == (
        f"a.toml: bcd.objects[1].id: object {BOOTMGR} is a duplicate of bcd.objects[0].id; hint: name each object once"
    )


def test_501_objects_are_refused() -> None:
    objects = [ObjectSpec(f"{{{n:08x}{GUID[9:]}", 1, {}) for n in range(501)]
    assert len(store(*objects[:500])) == 3 + 3 * 500
    assert refusal(*objects) == "a.toml: bcd.objects: 501 are too many for one key; hint: keep to 500"


def test_every_name_has_a_format_that_can_be_encoded() -> None:
    tables = [words.LIBRARY_ELEMENTS, *words.ELEMENTS_BY_OBJECT.values()]
    forms = {number >> 24 & 0xF for table in tables for number in table.values()}
    assert forms - {formats.Format.DEVICE} == {2, 3, 4, 5, 6, 7}


def test_a_device_has_a_name_and_cannot_be_encoded() -> None:
    assert words.element_names(words.OS_LOADER)["osdevice"] == 0x21000001
    assert "'osdevice' is not an element of this object" in refusal(ObjectSpec(GUID, "osloader", {"osdevice": "boot"}))


def test_every_object_that_has_a_name_has_a_guid() -> None:
    assert all(formats.GUID.fullmatch(guid) and guid == guid.lower() for guid in words.WELL_KNOWN_OBJECTS.values())


@pytest.mark.parametrize("word", ["default", "0x23000003"])
def test_a_boot_managers_default_object_must_be_in_the_store(word: str) -> None:
    loader = ObjectSpec(GUID, "osloader", {})
    manager = ObjectSpec("{bootmgr}", "bootmgr", {word: GUID})
    encoding.store([manager, loader], KeyPath("f", "bcd"))
    with pytest.raises(
        GeneratorError, match=rf"default object {re.escape(GUID)} is not in the store; hint: name one of"
    ):
        encoding.store([manager], KeyPath("f", "bcd"))
