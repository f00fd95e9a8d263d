# SPDX-License-Identifier: Apache-2.0
"""Valid specifications, up to the limits, and the files that hold them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.specs import SHOWN, file, hive, only_hive, parse, refusal, value

from generator.base.errors import EXIT_ERROR, GeneratorError
from generator.hives.model import (
    REG_BINARY,
    REG_DWORD,
    REG_DWORD_BIG_ENDIAN,
    REG_EXPAND_SZ,
    REG_MULTI_SZ,
    REG_NONE,
    REG_QWORD,
    REG_SZ,
    Key,
    Value,
)
from generator.layerspec import layer as spec

# ---------------------------------------------------------------------------------------------
# Accepted

VALUES = [
    ("REG_NONE", "''", REG_NONE, b""),
    ("REG_NONE", "'00ff'", REG_NONE, b"\0\xff"),
    ("REG_SZ", "''", REG_SZ, b"\0\0"),
    ("REG_SZ", "'aä𝄞'", REG_SZ, b"a\0\xe4\0\x34\xd8\x1e\xdd\0\0"),
    ("REG_EXPAND_SZ", "'%x%'", REG_EXPAND_SZ, b"%\0x\0%\0\0\0"),
    ("REG_BINARY", "'DE ad\tbe ef'", REG_BINARY, b"\xde\xad\xbe\xef"),
    ("REG_DWORD", "0", REG_DWORD, bytes(4)),
    ("REG_DWORD", "0xFFFFFFFF", REG_DWORD, b"\xff" * 4),
    ("REG_DWORD", "258", REG_DWORD, b"\2\1\0\0"),
    ("REG_DWORD_BIG_ENDIAN", "258", REG_DWORD_BIG_ENDIAN, b"\0\0\1\2"),
    ("REG_MULTI_SZ", "[]", REG_MULTI_SZ, b"\0\0"),
    ("REG_MULTI_SZ", "['a', 'bc']", REG_MULTI_SZ, b"a\0\0\0b\0c\0\0\0\0\0"),
    ("REG_QWORD", "258", REG_QWORD, b"\2\1\0\0\0\0\0\0"),
    ("REG_QWORD", "0xFFFFFFFFFFFFFFFF", REG_QWORD, b"\xff" * 8),
]


@pytest.mark.parametrize(("kind", "data", "number", "stored"), VALUES)
def test_value_is_encoded_as_windows_stores_it(kind: str, data: str, number: int, stored: bytes) -> None:
    assert only_hive(parse(value(kind, data))) == (Key((), (Value("v", number, stored),)),)


def test_file_content_is_text_hex_or_empty() -> None:
    texts = ["text = 'aä'", "hex = '00 FF'", ""]
    layer = parse("".join(file(text, f"Files/{n}") for n, text in enumerate(texts)))
    assert [f.content for f in layer.files] == ["aä".encode(), b"\0\xff", b""]
    assert [f.path for f in layer.files] == ["Files/0", "Files/1", "Files/2"]


def test_crlf_does_not_change_the_layer() -> None:
    text = file('text = """a\nb\n"""')
    assert parse(text.replace("\n", "\r\n")) == parse(text)


def test_empty_table_is_a_hive_with_only_a_root_key() -> None:
    assert only_hive(parse(file("hive = {}"))) == (Key(()),)


def test_omitted_parents_are_added_before_their_children() -> None:
    keys = only_hive(parse(hive(r"{ path = 'a\b\c' }", r"{ path = 'a\d' }")))
    assert [key.path for key in keys] == [(), ("a",), ("a", "b"), ("a", "b", "c"), ("a", "d")]


def test_key_can_follow_its_children() -> None:
    text = hive(r"{ path = 'a\b' }", "{ path = 'a', values = [{ type = 'REG_DWORD', data = 1 }] }")
    assert only_hive(parse(text)) == (Key(()), Key(("a",), (Value("", REG_DWORD, b"\1\0\0\0"),)), Key(("a", "b")))


BORDERS = {
    "a key's name of 255 characters": hive(f"{{ path = '{'k' * 255}' }}"),
    "a key's name of every printable character": hive(
        f"{{ path = '''{''.join(chr(c) for c in range(32, 127) if chr(c) not in chr(92) + chr(39))}''' }}"
    ),
    "512 levels, the root among them": hive(f"{{ path = '{chr(92).join('k' * 511)}' }}"),
    "500 subkeys": hive(*(f"{{ path = 'k{n}' }}" for n in range(500))),
    "16,344 bytes": value("REG_BINARY", f"'{'00' * 16_344}'"),
    "16,344 bytes of text": value("REG_SZ", f"'{'x' * 8171}'"),
    "a value's name of 16,383 characters": value("REG_DWORD", "1", "n" * 16_383),
    "a value's name of any characters": value("REG_DWORD", "1", r"ä\日本 𝄞"),
    "values whose names differ for Windows": hive(
        "{ path = '', values = [{ name = 'µ', type = 'REG_NONE', data = '' },"
        " { name = '\u039c', type = 'REG_NONE', data = '' }] }"
    ),
    "values whose names differ beyond the first plane alone": hive(
        "{ path = '', values = [{ name = '\U00010400', type = 'REG_NONE', data = '' },"
        " { name = '\U00010428', type = 'REG_NONE', data = '' }] }"
    ),
    "equal names under different keys": hive(r"{ path = 'a\k' }", r"{ path = 'b\k' }"),
    "a path of 100 bytes": file(path="x" * 100),
    "a path of 256 bytes": file(path=f"{'p' * 54}/{'q' * 100}/{'n' * 100}"),
    "a name that only begins like a device's": file(path="Files/console"),
    "500 BCD elements": file("[[files.bcd.objects]]\nid = '{bootmgr}'\ntype = 'bootmgr'\n")
    + "".join(f"elements.0x1500{n:04x} = 0\n" for n in range(500)),
}


@pytest.mark.parametrize("text", BORDERS.values(), ids=BORDERS)
def test_values_at_the_limit_are_accepted(text: str) -> None:
    assert parse(text).files


# ---------------------------------------------------------------------------------------------
# The file

BAD_NAMES = [
    "",
    "1a",
    "A",
    "a-b",
    "a_b",
    "ä",
    "func",
    "internal",
    "main",
    "testdata",
    "vendor",
    "a" * 33,
    "folder/a",
    "٣a",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_invalid_layer_name_is_refused(name: str, tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text(file(), encoding="utf-8")
    assert "invalid layer name" in refusal(lambda: spec.load(good, f"generator/layers/{name}.toml"))


@pytest.mark.parametrize("name", ["a", "a" * 32, "x64", "windows"])
def test_file_name_is_layer_name(name: str, tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text(file(), encoding="utf-8")
    assert spec.load(good, f"generator/layers/{name}.toml").name == name


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    assert refusal(lambda: spec.load(tmp_path, SHOWN)) == f"{SHOWN}: cannot be read: Is a directory"
    assert refusal(lambda: spec.load(tmp_path / "no", SHOWN)) == f"{SHOWN}: cannot be read: No such file or directory"


def test_special_and_huge_files_are_refused(tmp_path: Path) -> None:
    assert "not a regular file" in refusal(lambda: spec.load(Path("/dev/zero"), SHOWN))
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(lambda: spec.load(tmp_path / "pipe", SHOWN))
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(20 << 30)
    assert "larger than 1,048,576 bytes" in refusal(lambda: spec.load(tmp_path / "huge", SHOWN))


@pytest.mark.program
def test_invalid_specification_ends_with_one_line_and_writes_nothing(tree: Path) -> None:
    (tree / "generator/layers/scratch.toml").write_text(value("REG_DWORD", "-1"))
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "generate", "--engine", "native"],
        cwd=tree,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == EXIT_ERROR
    assert done.stdout == ""
    assert done.stderr == (
        "error: generator/layers/scratch.toml: files[0].hive.keys[0].values[0].data: "
        "-1 is out of place; hint: use an integer from 0 to 2^32 - 1\n"
    )
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before


@pytest.mark.parametrize(
    "text",
    [
        '"\\"".' + "a." * 40_000 + "a = 1\n",
        "x = 1\n" + '\\"""\n' * 150_000,
        "'" * (1 << 19),
        '"' * (1 << 19),
        "[" * (1 << 19),
    ],
)
def test_hostile_document_is_refused(text: str) -> None:
    with pytest.raises(GeneratorError):
        spec.parse("sample", text.encode(), SHOWN)
