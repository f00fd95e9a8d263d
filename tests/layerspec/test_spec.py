# SPDX-License-Identifier: Apache-2.0
"""Specifications: what is accepted, to the last byte, and that a refusal is one line with file, key and mend."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
    Hive,
    Key,
    Value,
)
from generator.layerspec import layer as spec

SHOWN = "generator/layers/sample.toml"
PATH = "Files/x"


def parse(text: str) -> spec.Layer:
    return spec.parse("sample", text.encode("utf-8"), SHOWN)


def refusal(act: Callable[[], object]) -> str:
    """Return the line that *act* is refused with."""
    with pytest.raises(GeneratorError) as refused:
        act()
    line = str(refused.value)
    assert line.isprintable()
    assert len(line) < 450
    return line


def file(content: str = "", path: str = PATH) -> str:
    """Return a layer of one file, with *content* as TOML below its path."""
    return f"[[files]]\npath = '{path}'\n{content}\n"


def hive(*keys: str) -> str:
    """Return a layer of one hive with *keys*, each an inline table."""
    return file(f"hive = {{ keys = [{', '.join(keys)}] }}")


def value(kind: str, data: str, name: str = "v") -> str:
    """Return a layer of one hive whose root key has one value."""
    return hive(f"{{ path = '', values = [{{ name = '{name}', type = '{kind}', data = {data} }}] }}")


def only_hive(layer: spec.Layer) -> Hive:
    ((_, found),) = spec.hives(layer)
    return found


# ---------------------------------------------------------------------------------------------
# What is accepted

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
def test_a_value_becomes_the_bytes_that_windows_stores(kind: str, data: str, number: int, stored: bytes) -> None:
    assert only_hive(parse(value(kind, data))) == (Key((), (Value("v", number, stored),)),)


def test_a_files_content_is_text_in_utf8_or_hex_or_nothing() -> None:
    texts = ["text = 'aä'", "hex = '00 FF'", ""]
    layer = parse("".join(file(text, f"Files/{n}") for n, text in enumerate(texts)))
    assert [f.content for f in layer.files] == ["aä".encode(), b"\0\xff", b""]
    assert [f.path for f in layer.files] == ["Files/0", "Files/1", "Files/2"]


def test_text_is_the_same_from_a_checkout_with_crlf() -> None:
    text = file('text = """a\nb\n"""')
    assert parse(text.replace("\n", "\r\n")) == parse(text)


def test_an_empty_table_is_a_hive_with_a_root_key_only() -> None:
    assert only_hive(parse(file("hive = {}"))) == (Key(()),)


def test_keys_in_between_are_made_parents_first() -> None:
    tree = only_hive(parse(hive(r"{ path = 'a\b\c' }", r"{ path = 'a\d' }")))
    assert [key.path for key in tree] == [(), ("a",), ("a", "b"), ("a", "b", "c"), ("a", "d")]


def test_a_key_can_be_listed_after_its_children() -> None:
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
def test_it_is_accepted(text: str) -> None:
    assert parse(text).files


# ---------------------------------------------------------------------------------------------
# What is refused

TWO = "[{ name = 'V', type = 'REG_NONE', data = '' }, { name = '%s', type = 'REG_NONE', data = '' }]"
BCD = "[[files.bcd.objects]]\nid = '{bootmgr}'\ntype = 'bootmgr'\n"
KEY = "files[0].hive.keys[0]"
VALUE = f"{KEY}.values[0]"
OBJECT = "files[0].bcd.objects[0]"
LONG = "x" * 100_000

# What is wrong: the TOML, the key path in the line, and words of the line, the mend's among them.
REFUSED = {
    "not TOML": ("files = [", "", "not TOML: Invalid value (at end of document)"),
    "unknown table": (file() + "[extra]", "(top level)", "unknown field `extra`; CONTRIBUTING.md"),
    "unknown key": (file("mode = 1"), "files[0]", "unknown field `mode`; CONTRIBUTING.md"),
    "wrong type": (file("text = 1"), "files[0].text", "Expected `str | null`, got `int`; CONTRIBUTING.md"),
    "no path": ("[[files]]\n", "files[0]", "missing required field `path`; CONTRIBUTING.md"),
    "no files at all": ("", "(top level)", "missing required field `files`; CONTRIBUTING.md"),
    "an empty layer": ("files = []", "files", "the layer is empty; name at least one file"),
    "long unknown key": (file(f"{LONG} = 1"), "files[0]", "unknown field"),
    "two contents": (file("text = ''\nhex = ''"), "files[0].hex", "has text already; give at most one"),
    "bcd and hive": (file("bcd = {}\nhive = {}"), "files[0].hive", "has bcd already; give at most one"),
    "hex digits": (file("hex = '0g'"), "files[0].hex", "not hexadecimal; use pairs of digits"),
    "odd hex": (file("hex = '000'"), "files[0].hex", "not hexadecimal; use pairs of digits"),
    # Paths.
    "empty path": (file(path=""), "files[0].path", "segment of the path is ''; use names between single slashes"),
    "leading slash": (file(path="/a"), "files[0].path", "segment of the path is ''"),
    "trailing slash": (file(path="a/"), "files[0].path", "segment of the path is ''"),
    "double slash": (file(path="a//b"), "files[0].path", "segment of the path is ''"),
    "dot": (file(path="./a"), "files[0].path", "segment of the path is '.'"),
    "two dots": (file(path="a/../b"), "files[0].path", "segment of the path is '..'"),
    "stream": (file(path="a:b"), "files[0].path", "character that a name cannot have; use printable ASCII"),
    "backslash": (file(path=r"a\b"), "files[0].path", "character that a name cannot have"),
    "wildcard": (file(path="a*"), "files[0].path", "character that a name cannot have"),
    "control character": ('[[files]]\npath = "a\\u0001"', "files[0].path", "'a\\x01' has a character"),
    "DEL": ('[[files]]\npath = "a\\u007f"', "files[0].path", "character that a name cannot have"),
    "beyond ASCII": (file(path="ä"), "files[0].path", "character that a name cannot have"),
    "trailing dot": (file(path="a./b"), "files[0].path", "ends in '.', which Windows drops; end it otherwise"),
    "trailing space": (file(path="a /b"), "files[0].path", "ends in ' ', which Windows drops; end it otherwise"),
    "whiteout": (file(path="a/.wh.b"), "files[0].path", "would be a whiteout; a base layer"),
    "path too long": (file(path="x" * 101), "files[0].path", "is too long; keep to 100 bytes"),
    "directory too long": (file(path=f"{'p' * 101}/n"), "files[0].path", "is too long; keep to 100 bytes"),
    "path far too long": (file(path="/".join("x" * 50_000)), "files[0].path", "is too long; keep to 100 bytes"),
    "long segment": (file(path=f"{LONG}:"), "files[0].path", "character that a name cannot have"),
    "file twice": (file() + file(), "files[1].path", "is the file of files[0].path; name each file once"),
    "file in other case": (file() + file(path="FILES/X"), "files[1].path", "is the file of files[0].path"),
    "directory in other case": (file() + file(path="files/y"), "files[1].path", "is spelled 'Files' before; spell"),
    "file as directory": (file() + file(path=f"{PATH}/y"), "files[1].path", "both a file and a directory; rename"),
    "directory as file": (file() + file(path="Files"), "files[1].path", "both a file and a directory; rename"),
    # Keys.
    "key twice": (
        hive("{ path = 'a' }", "{ path = 'a' }"),
        "files[0].hive.keys[1].path",
        "is the key of files[0].hive.ke",
    ),
    "root twice": (hive("{ path = '' }", "{ path = '' }"), "files[0].hive.keys[1].path", "name each key once"),
    "key in other case": (
        hive("{ path = 'a' }", "{ path = 'A' }"),
        "files[0].hive.keys[1].path",
        "'A' stands beside 'a'",
    ),
    "parent in other case": (
        hive(r"{ path = 'a\b' }", r"{ path = 'A\c' }"),
        "files[0].hive.keys[1].path",
        "'A' stands beside 'a'; spell a key one way",
    ),
    "empty key name": (hive(r"{ path = 'a\\b' }"), KEY + ".path", "'' cannot be a key's name; use 1 to 255"),
    "leading backslash": (hive(r"{ path = '\a' }"), KEY + ".path", "'' cannot be a key's name"),
    "key of 256": (hive(f"{{ path = '{'k' * 256}' }}"), KEY + ".path", "use 1 to 255 printable ASCII"),
    "key beyond ASCII": (hive("{ path = 'ä' }"), KEY + ".path", "'ä' cannot be a key's name"),
    "key with tab": (hive("{ path = 'a\tb' }"), KEY + ".path", "cannot be a key's name"),
    "level 513": (
        hive(f"{{ path = '{chr(92).join('k' * 512)}' }}"),
        KEY + ".path",
        "on level 513; nest at most 512 levels",
    ),
    "501 subkeys": (
        hive(*(f"{{ path = 'k{n}' }}" for n in range(501))),
        "files[0].hive.keys[500].path",
        "more than 500 subkeys; keep to 500",
    ),
    # Values.
    "value twice": (
        hive(f"{{ path = 'k', values = {TWO % 'V'} }}"),
        "files[0].hive.keys[0].values[1].name",
        "name each",
    ),
    "value in other case": (
        hive(f"{{ path = 'k', values = {TWO % 'v'} }}"),
        "files[0].hive.keys[0].values[1].name",
        "'v' is the name of values[0]; name each value once",
    ),
    "value's name of 16,384": (
        value("REG_DWORD", "1", "n" * 16_384),
        VALUE + ".name",
        "use at most 16383 characters",
    ),
    "value's name with NUL": (
        file('hive = { keys = [{ path = "", values = [{ name = "a\\u0000", type = "REG_NONE", data = "" }] }] }'),
        VALUE + ".name",
        "the name cannot be stored; use at most 16383 characters, no NUL",
    ),
    "value type": (value("REG_LINK", "''"), VALUE + ".type", "'REG_LINK' is not a value type; use one of REG_NONE, "),
    "long value type": (value(LONG, "''"), VALUE + ".type", "is not a value type; use one of"),
    "16,345 bytes": (
        value("REG_BINARY", f"'{'00' * 16_345}'"),
        VALUE + ".data",
        "16345 bytes are too many; store at most 16344",
    ),
    "text too long": (value("REG_SZ", f"'{'x' * 8172}'"), VALUE + ".data", "16346 bytes are too many"),
    "negative": (value("REG_DWORD", "-1"), VALUE + ".data", "-1 is out of place; use an integer from 0 to 2^32"),
    "33 bits": (value("REG_DWORD", "0x100000000"), VALUE + ".data", "from 0 to 2^32 - 1"),
    "65 bits": (value("REG_QWORD", "0x10000000000000000"), VALUE + ".data", "from 0 to 2^64 - 1"),
    "huge number": (value("REG_QWORD", f"0x{'f' * 9999}"), VALUE + ".data", "from 0 to 2^64 - 1"),
    "boolean as number": (value("REG_DWORD", "true"), VALUE + ".data", "True is out of place; use an integer"),
    "float as number": (value("REG_DWORD", "1.0"), VALUE + ".data", "1.0 is out of place; use an integer"),
    "date as text": (value("REG_SZ", "2020-01-01"), VALUE + ".data", "is out of place; use a string"),
    "text with NUL": (value("REG_SZ", '"a\\u0000"'), VALUE + ".data", "use a string without NUL"),
    "long text with NUL": (value("REG_SZ", f'"{LONG}\\u0000"'), VALUE + ".data", "use a string without NUL"),
    "text as list": (value("REG_MULTI_SZ", "'a'"), VALUE + ".data", "is out of place; use a list of strings"),
    "number in list": (value("REG_MULTI_SZ", "['a', 1]"), VALUE + ".data[1]", "1 is out of place; use a string"),
    "empty in list": (value("REG_MULTI_SZ", "['a', '']"), VALUE + ".data[1]", "ends the list early; leave it out"),
    "binary as number": (value("REG_BINARY", "1"), VALUE + ".data", "use a string of hexadecimal digits"),
    "no data": (hive("{ path = '', values = [{ type = 'REG_SZ' }] }"), VALUE, "missing required field `data`"),
    # BCD words; test_bcd.py has the rest.
    "device": (
        file(BCD + "elements.0x11000001 = 1"),
        OBJECT + ".elements.0x11000001",
        "device elements are not supported; use an element of another format",
    ),
    "description with NUL": (
        file(BCD + 'elements.description = "a\\u0000"'),
        OBJECT + ".elements.description",
        "use a string without NUL",
    ),
    "unknown element": (
        file(BCD + "elements.descripton = ''"),
        OBJECT + ".elements.descripton",
        "is not an element of this object; use a name listed in generator/bcd/words.py, such as description",
    ),
    "empty element": (file(BCD + 'elements."" = 1'), OBJECT + ".elements.", "'' is not an element"),
    "long element": (file(BCD + f"elements.{LONG} = 1"), OBJECT + ".elements.xxx", "is not an element"),
    "object id": (
        file("[[files.bcd.objects]]\nid = '{x}'\ntype = 1"),
        OBJECT + ".id",
        "'{x}' is not an object; use a GUID in braces",
    ),
    "object twice": (
        file(BCD + BCD),
        "files[0].bcd.objects[1].id",
        "is a duplicate of files[0].bcd.objects[0].id; name each",
    ),
    "object type": (
        file("[[files.bcd.objects]]\nid = '{bootmgr}'\ntype = 'x'"),
        OBJECT + ".type",
        "'x' is not an object type; use one of fwbootmgr, ",
    ),
    "object type too large": (
        file("[[files.bcd.objects]]\nid = '{bootmgr}'\ntype = 0x100000000"),
        OBJECT + ".type",
        "from 0 to 2^32 - 1",
    ),
    "501 elements": (
        file(BCD + "".join(f"elements.0x1500{n:04x} = 0\n" for n in range(501))),
        OBJECT + ".elements",
        "501 are too many for one key; keep to 500",
    ),
    "long description": (
        file(BCD + f"elements.description = '{'x' * 8172}'"),
        OBJECT + ".elements.description",
        "16346 bytes are too many; store at most 16344",
    ),
}


@pytest.mark.parametrize(("text", "key", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_with_file_key_and_mend(text: str, key: str, words: str) -> None:
    line = refusal(lambda: parse(text))
    assert line.startswith(f"{SHOWN}: {key}")
    assert key.endswith("xxx") or not key or line.startswith(f"{SHOWN}: {key}: ")
    assert words in line


@pytest.mark.parametrize(
    "name", ["con", "PRN", "Aux.txt", "nul", "COM1", "com9.x.y", "lpt0", "CONIN$", "conout$", "nul .txt", "com1 "]
)
def test_a_devices_name_is_refused_in_any_case_and_with_any_extension(name: str) -> None:
    assert "files[0].path: " in refusal(lambda: parse(file(path=f"Files/{name}/x")))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = " + "[" * 100_000, "line 1: arrays or tables nested"),
        ("a = 1" + "0" * 5000, "not TOML: Exceeds the limit"),
    ],
)
def test_what_exhausts_the_parser_is_refused(text: str, problem: str) -> None:
    assert problem in refusal(lambda: parse(text))


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    line = refusal(lambda: spec.parse("sample", b"# \xe4\n", SHOWN))
    assert line == f"{SHOWN}: byte 2 is not UTF-8; save the file as UTF-8"


# ---------------------------------------------------------------------------------------------
# The file itself

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
def test_a_layers_name_that_go_cannot_use_is_refused(name: str, tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text(file(), encoding="utf-8")
    assert "use 1 to 32 of a-z and 0-9" in refusal(lambda: spec.load(good, f"generator/layers/{name}.toml"))


@pytest.mark.parametrize("name", ["a", "a" * 32, "x64", "windows"])
def test_a_layer_is_named_by_its_file(name: str, tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text(file(), encoding="utf-8")
    assert spec.load(good, f"generator/layers/{name}.toml").name == name


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert refusal(lambda: spec.load(tmp_path, SHOWN)) == f"{SHOWN}: cannot be read: Is a directory"
    assert refusal(lambda: spec.load(tmp_path / "no", SHOWN)) == f"{SHOWN}: cannot be read: No such file or directory"


def test_what_is_no_specification_for_its_size_or_kind_is_refused_at_once(tmp_path: Path) -> None:
    assert "not a regular file" in refusal(lambda: spec.load(Path("/dev/zero"), SHOWN))
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refusal(lambda: spec.load(tmp_path / "pipe", SHOWN))
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(20 << 30)
    assert "larger than 1,048,576 bytes" in refusal(lambda: spec.load(tmp_path / "huge", SHOWN))


@pytest.mark.program
def test_a_bad_specification_is_one_line_and_status_2_and_writes_nothing(tree: Path) -> None:
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
        "-1 is out of place; use an integer from 0 to 2^32 - 1\n"
    )
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before


DOTTED = ".".join(["a"] * 66)


@pytest.mark.parametrize(
    "around",
    [
        "# {}\n",
        'text = """\n{}\n"""',
        'text = """\\"""\n{}\n"""',
        "text = '''\n{}\n'''",
        'text = "{}"',
        "text = '{}'",
        'text = """""\n{}\n"""""',
    ],
)
def test_text_and_comments_may_have_any_number_of_words_joined_by_dots(around: str) -> None:
    layer = spec.parse("sample", file(around.format(DOTTED)).encode(), SHOWN)
    content = layer.files[0].content
    assert around[0] == "#" or DOTTED.encode() in content


@pytest.mark.parametrize("around", ["{} = 1", "[{}]", "[[ {}]]", "x = {{ a = 1, {} = 2 }}", "x = '''\n'''\n{} = 1"])
def test_a_key_of_very_many_words_is_refused_before_it_is_parsed(around: str) -> None:
    for dotted in (DOTTED, DOTTED.replace("a", '"a"'), DOTTED.replace(".", " . ")):
        with pytest.raises(GeneratorError, match=r"line \d: more than 64 words joined by dots; a key has far fewer"):
            spec.parse("sample", around.format(dotted).encode(), SHOWN)


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
def test_a_hostile_document_is_refused_in_moments(text: str) -> None:
    with pytest.raises(GeneratorError):
        spec.parse("sample", text.encode(), SHOWN)
