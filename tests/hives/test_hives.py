# SPDX-License-Identifier: Apache-2.0
"""Hives that hivex really builds: what six other programs read from them is what the specification says."""

import logging
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.counts import count
from helpers.random_hives import committed_hives
from helpers.support import need, need_package, selected
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.builder import choose
from generator.hives import model as hive_types
from generator.hives import reader as regf
from generator.hives.model import (
    REG_BINARY,
    REG_DWORD,
    REG_DWORD_BIG_ENDIAN,
    REG_EXPAND_SZ,
    REG_MULTI_SZ,
    REG_NONE,
    REG_QWORD,
    REG_SZ,
    Hive,
    Key,
    Value,
    fold_name,
)

# What one program finds in a hive: each key's path with its values' names, types and data.
Found = dict[tuple[str, ...], set[tuple[str, int, bytes]]]


def build(hives: dict[str, Hive]) -> dict[str, bytes]:
    """Return *hives* as Debian's hivex builds them, all in one run."""
    return choose.build_hives(selected("native"), hives)


def content(hive: Hive) -> Found:
    return {key.path: {(v.name, v.type, v.data) for v in key.values} for key in hive}


def walk(root: Any, children: Callable[[Any], Any], values: Callable[[Any], set[tuple[str, int, bytes]]]) -> Found:
    """Return the content of a hive from its *root*; *children* returns a key's subkeys, *values* its values."""
    found: Found = {}
    stack: list[tuple[tuple[str, ...], Any]] = [((), root)]
    while stack:
        where, key = stack.pop()
        found[where] = values(key)
        for child in children(key):
            name = child.name() if callable(child.name) else child.name
            assert (*where, name) not in found
            stack.append(((*where, name), child))
    return found


def by_regipy(path: Path) -> Found:
    """Return what regipy finds; it turns data into something else, so data is left out."""

    def values(key: Any) -> set[tuple[str, int, bytes]]:
        found = list(key.iter_values(as_json=False)) if key.values_count else []
        assert len(found) == key.values_count
        return {("" if v.name == "(default)" else v.name, getattr(hive_types, v.value_type), b"") for v in found}

    root = need_package("regipy.registry").RegistryHive(str(path)).root
    return walk(root, lambda key: list(key.iter_subkeys()) if key.subkey_count else [], values)


def by_python_registry(path: Path) -> Found:
    def values(key: Any) -> set[tuple[str, int, bytes]]:
        return {("" if v.name() == "(default)" else v.name(), v.value_type(), v.raw_data()) for v in key.values()}

    return walk(need_package("Registry.Registry").Registry(str(path)).root(), lambda key: key.subkeys(), values)


def by_libregf(path: Path) -> Found:
    file = need_package("pyregf").file()
    file.open(str(path))
    try:
        return walk(
            file.get_root_key(),
            lambda key: key.sub_keys,
            lambda key: {(v.name or "", v.type, v.data or b"") for v in key.values},
        )
    finally:
        file.close()


# What a reader gets wrong by its own fault is left out on both sides.


def for_regipy(name: str, kind: int, _: bytes) -> tuple[str, int, bytes]:
    """Return a value as regipy can tell it: no data, and Latin-1 names read as ASCII."""
    if max(name, default="") <= "\xff":
        name = "".join(char if char.isascii() else "\ufffd" for char in name)
    return name, kind, b""


def for_python_registry(name: str, kind: int, data: bytes) -> tuple[str, int, bytes]:
    """Return a value as python-registry can tell it: data kept in the value's own record is read wrongly for some."""
    if kind == REG_DWORD_BIG_ENDIAN or (kind == REG_MULTI_SZ and len(data) <= 4):
        data = b""
    elif kind in {REG_SZ, REG_EXPAND_SZ} and len(data) <= 4:
        data = data.rstrip(b"\0")
    return name, kind, data


def for_libregf(name: str, kind: int, data: bytes) -> tuple[str, int, bytes]:
    """Return a value as libregf can tell it: of data from 1 to 3 bytes it reads the wrong ones."""
    return name, kind, b"" if len(data) < 4 else data


READERS: tuple[tuple[Callable[[Path], Found], Callable[[str, int, bytes], tuple[str, int, bytes]]], ...] = (
    (lambda path: content(regf.read_hive(path.read_bytes())), lambda *value: value),
    (by_regipy, for_regipy),
    (by_python_registry, for_python_registry),
    (by_libregf, for_libregf),
)


def assert_read_by_all(path: Path, wanted: Hive) -> None:
    """Fail unless each reader finds the *wanted* content in the hive at *path*."""
    logging.getLogger("regipy").setLevel(logging.CRITICAL)
    for read, blurred in READERS:
        expected = {where: {blurred(*value) for value in values} for where, values in content(wanted).items()}
        found = {where: {blurred(*value) for value in values} for where, values in read(path).items()}
        assert found == expected


# ---------------------------------------------------------------------------------------------
# Any hive

KEY_NAMES = st.text([chr(c) for c in range(32, 127) if c != 92], min_size=1, max_size=12)
# No NUL, which a specification refuses; no C1 controls, which some readers take for Windows-1252.
VALUE_NAMES = st.text(
    st.characters(exclude_characters=["\0", *map(chr, range(0x80, 0xA0))], exclude_categories=["Cs"]), max_size=12
)
STRINGS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
BYTES = st.one_of(st.binary(max_size=40), st.integers(4096, 16_344).map(bytes))


def wide(text: str) -> bytes:
    return (text + "\0").encode("utf-16-le")


DATA = {
    REG_NONE: BYTES,
    REG_SZ: STRINGS.map(wide),
    REG_EXPAND_SZ: STRINGS.map(wide),
    REG_BINARY: BYTES,
    REG_DWORD: st.binary(min_size=4, max_size=4),
    REG_DWORD_BIG_ENDIAN: st.binary(min_size=4, max_size=4),
    REG_MULTI_SZ: st.lists(STRINGS.filter(bool), max_size=3).map(lambda texts: b"".join(map(wide, texts)) + b"\0\0"),
    REG_QWORD: st.binary(min_size=8, max_size=8),
}
VALUES = st.lists(
    st.sampled_from(list(DATA)).flatmap(lambda kind: st.builds(Value, VALUE_NAMES, st.just(kind), DATA[kind])),
    max_size=5,
    unique_by=lambda value: fold_name(value.name),
).map(tuple)


@st.composite
def trees(draw: st.DrawFn) -> Hive:
    """Return a random hive as a specification could ask for it."""
    keys: dict[tuple[str, ...], tuple[Value, ...]] = {(): draw(VALUES)}
    taken: set[tuple[str, ...]] = set()
    for _ in range(draw(st.integers(0, 10))):
        path = (*draw(st.sampled_from(list(keys))), draw(KEY_NAMES))
        folded = tuple(name.upper() for name in path)
        if folded not in taken:
            taken.add(folded)
            keys[path] = draw(VALUES)
    return tuple(Key(path, values) for path, values in keys.items())


@settings(max_examples=count(2, 8), suppress_health_check=list(HealthCheck))
@given(hives=st.lists(trees(), min_size=5, max_size=8))
def test_any_hive_is_read_back_as_specified_by_four_readers(
    hives: list[Hive], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("hives") / "HIVE"
    built = build({str(number): hive for number, hive in enumerate(hives)})
    for number, wanted in enumerate(hives):
        path.write_bytes(built[str(number)])
        assert_read_by_all(path, wanted)


BORDERS: dict[str, Hive] = {
    "512 levels": tuple(Key(("k",) * level) for level in range(512)),
    "500 subkeys": (Key(()), *(Key((f"k{n}",)) for n in range(500))),
    "16,344 bytes": (Key((), (Value("v", REG_BINARY, b"x" * 16_344),)),),
    "a key's name of 255 characters": (Key(()), Key(("k" * 255,))),
    "values' names of 16,383 characters": (
        Key((), (Value("n" * 16_383, REG_DWORD, bytes(4)), Value("日" * 16_383, REG_DWORD, bytes(4)))),
    ),
    "1,000 values": (Key((), tuple(Value(f"v{n}", REG_DWORD, bytes(4)) for n in range(1000))),),
    "names that sort otherwise than their bytes": (
        Key(()),
        *(Key((name,)) for name in ("b", "A", "_", "a b", "a-b", "Z", "~", "[", "`", "{", "aa")),
    ),
}


def test_hives_at_every_border_are_read_back_as_specified_by_four_readers(tmp_path: Path) -> None:
    for name, data in build(BORDERS).items():
        path = tmp_path / name
        path.write_bytes(data)
        assert_read_by_all(path, BORDERS[name])


def test_what_hivex_builds_depends_on_the_request_alone() -> None:
    wanted = {"a": BORDERS["500 subkeys"], "b": BORDERS["1,000 values"]}
    again = dict(reversed(wanted.items()))
    first, second = build(wanted), build(again)
    assert first == {name: second[name] for name in first}


# ---------------------------------------------------------------------------------------------
# The hives of the committed layers

HIVES = committed_hives()


@pytest.fixture(params=HIVES)
def hive(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Hive]:
    """Return a hive of a committed layer as a file, and what it should hold."""
    data, wanted = HIVES[request.param]
    path = tmp_path / "HIVE"
    path.write_bytes(data)
    return path, wanted


def output(program: str, *arguments: Path | str) -> str:
    """Return what *program* writes, in Latin-1; it must end well and complain of nothing."""
    done = subprocess.run([need(program), *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode("latin-1")


def test_each_layer_has_its_hives() -> None:
    config = ["DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"]
    assert list(HIVES) == [f"scratch:{name}" for name in ["BCD", *config]] + [
        f"hostprocess:{name}" for name in config
    ] + ["legacy:BCD"]


def test_four_readers_find_what_the_specification_says(hive: tuple[Path, Hive]) -> None:
    assert_read_by_all(*hive)


def test_hivexml_accepts_it(hive: tuple[Path, Hive]) -> None:
    path, wanted = hive
    document = ET.fromstring(output("hivexml", path))  # noqa: S314 - our own hive
    assert document.tag == "hive"
    assert len(document.findall(".//node")) == len(wanted)
    assert len(document.findall(".//value")) == sum(len(key.values) for key in wanted)


def test_hivexregedit_accepts_it(hive: tuple[Path, Hive]) -> None:
    path, wanted = hive
    lines = output("hivexregedit", "--export", path, "\\").splitlines()
    assert [line for line in lines if line.startswith("[")] == [f"[\\{chr(92).join(key.path)}]" for key in wanted]


def test_reged_accepts_it(hive: tuple[Path, Hive], tmp_path: Path) -> None:
    path, wanted = hive
    exported = tmp_path / "exported.reg"
    subprocess.run(
        [need("reged"), "-x", path, "PREFIX", "\\", exported], stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    lines = exported.read_text("latin-1").splitlines()
    keys = [line for line in lines if line.startswith("[")]
    assert keys == ["[" + "\\".join(("PREFIX", *key.path)) + "]" for key in wanted]


def test_regfinfo_accepts_it(hive: tuple[Path, Hive]) -> None:
    written = output("regfinfo", hive[0])
    assert "1.5" in written
    assert "corrupt" not in written.lower()


BCD_EXPORT = r"""Windows Registry Editor Version 5.00

[\]

[\Description]
"FirmwareModified"=dword:00000001
"KeyName"=str(1):"BCD00000000"

[\Objects]

[\Objects\{6a6c1f1b-59d4-11ea-9438-9402e6abd998}]

[\Objects\{6a6c1f1b-59d4-11ea-9438-9402e6abd998}\Description]
"Type"=dword:10200003

[\Objects\{6a6c1f1b-59d4-11ea-9438-9402e6abd998}\Elements]

[\Objects\{6a6c1f1b-59d4-11ea-9438-9402e6abd998}\Elements\12000004]
"Element"=str(1):"winscratch"

[\Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}]

[\Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Description]
"Type"=dword:10100002

[\Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements]

[\Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\23000003]
"Element"=str(1):"{6a6c1f1b-59d4-11ea-9438-9402e6abd998}"
"""


@pytest.mark.parametrize("layer", ["scratch", "legacy"])
def test_the_bcd_store_exports_as_the_store_proven_in_the_field(layer: str, tmp_path: Path) -> None:
    path = tmp_path / "BCD"
    path.write_bytes(HIVES[f"{layer}:BCD"][0])
    exported = output("hivexregedit", "--export", "--unsafe-printable-strings", path, "\\")
    assert exported.strip() == BCD_EXPORT.strip()


def test_an_empty_hive_is_two_pages_and_a_store_one_more() -> None:
    assert {name.partition(":")[2]: len(data) for name, (data, _) in HIVES.items()} == {
        "BCD": 12_288,
        "DEFAULT": 8192,
        "SAM": 8192,
        "SECURITY": 8192,
        "SOFTWARE": 8192,
        "SYSTEM": 8192,
    }
