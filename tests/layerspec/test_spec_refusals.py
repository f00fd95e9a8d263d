# SPDX-License-Identifier: Apache-2.0
"""Invalid specifications are refused in one line with file, key and hint."""

import pytest
from helpers.specs import PATH, SHOWN, file, hive, parse, refusal, value

from generator.layerspec import layer as spec

# ---------------------------------------------------------------------------------------------
# Refused

TWO = "[{ name = 'V', type = 'REG_NONE', data = '' }, { name = '%s', type = 'REG_NONE', data = '' }]"
BCD = "[[files.bcd.objects]]\nid = '{bootmgr}'\ntype = 'bootmgr'\n"
KEY = "files[0].hive.keys[0]"
VALUE = f"{KEY}.values[0]"
OBJECT = "files[0].bcd.objects[0]"
LONG = "x" * 100_000

# The TOML, the key path in the error, and a part of the error.
REFUSED = {
    "not TOML": ("files = [", "", "invalid TOML: Invalid value (at end of document)"),
    "unknown table": (file() + "[extra]", "(top level)", "unknown field `extra`; hint: CONTRIBUTING.md"),
    "unknown key": (file("mode = 1"), "files[0]", "unknown field `mode`; hint: CONTRIBUTING.md"),
    "wrong type": (file("text = 1"), "files[0].text", "Expected `str | null`, got `int`; hint: CONTRIBUTING.md"),
    "no path": ("[[files]]\n", "files[0]", "missing required field `path`; hint: CONTRIBUTING.md"),
    "no files at all": ("", "(top level)", "missing required field `files`; hint: CONTRIBUTING.md"),
    "an empty layer": ("files = []", "files", "the layer has no files; hint: add at least one file"),
    "long unknown key": (file(f"{LONG} = 1"), "files[0]", "unknown field"),
    "two contents": (
        file("text = ''\nhex = ''"),
        "files[0].hex",
        "a second content besides text; hint: use at",
    ),
    "bcd and hive": (
        file("bcd = {}\nhive = {}"),
        "files[0].hive",
        "a second content besides bcd; hint: use at",
    ),
    "hex digits": (file("hex = '0g'"), "files[0].hex", "invalid hexadecimal; hint: use pairs of digits"),
    "odd hex": (file("hex = '000'"), "files[0].hex", "invalid hexadecimal; hint: use pairs of digits"),
    # Paths.
    "empty path": (file(path=""), "files[0].path", "invalid path segment ''; hint: separate names"),
    "leading slash": (file(path="/a"), "files[0].path", "invalid path segment ''"),
    "trailing slash": (file(path="a/"), "files[0].path", "invalid path segment ''"),
    "double slash": (file(path="a//b"), "files[0].path", "invalid path segment ''"),
    "dot": (file(path="./a"), "files[0].path", "invalid path segment '.'"),
    "two dots": (file(path="a/../b"), "files[0].path", "invalid path segment '..'"),
    "stream": (file(path="a:b"), "files[0].path", "invalid character in 'a:b'; hint: use printable ASCII"),
    "backslash": (file(path=r"a\b"), "files[0].path", "invalid character in "),
    "wildcard": (file(path="a*"), "files[0].path", "invalid character in "),
    "control character": ('[[files]]\npath = "a\\u0001"', "files[0].path", "invalid character in 'a\\x01'"),
    "DEL": ('[[files]]\npath = "a\\u007f"', "files[0].path", "invalid character in "),
    "beyond ASCII": (file(path="ä"), "files[0].path", "invalid character in "),
    "trailing dot": (file(path="a./b"), "files[0].path", "ends in '.', which Windows drops; hint: use another last"),
    "trailing space": (file(path="a /b"), "files[0].path", "ends in ' ', which Windows drops; hint: use another last"),
    "whiteout": (file(path="a/.wh.b"), "files[0].path", "is a whiteout, and a base layer"),
    "path too long": (file(path="x" * 101), "files[0].path", "is too long; hint: use at most 100"),
    "directory too long": (file(path=f"{'p' * 101}/n"), "files[0].path", "is too long; hint: use at most 100"),
    "path far too long": (
        file(path="/".join("x" * 50_000)),
        "files[0].path",
        "is too long; hint: use at most 100",
    ),
    "long segment": (file(path=f"{LONG}:"), "files[0].path", "invalid character in "),
    "file twice": (
        file() + file(),
        "files[1].path",
        "duplicate file 'Files/x' of files[0].path; hint: name each",
    ),
    "file in other case": (file() + file(path="FILES/X"), "files[1].path", "duplicate file 'FILES/X' of files[0].path"),
    "directory in other case": (
        file() + file(path="files/y"),
        "files[1].path",
        "differs from 'Files' in case",
    ),
    "file as directory": (
        file() + file(path=f"{PATH}/y"),
        "files[1].path",
        "both a file and a directory; hint:",
    ),
    "directory as file": (file() + file(path="Files"), "files[1].path", "both a file and a directory; hint:"),
    # Keys.
    "key twice": (
        hive("{ path = 'a' }", "{ path = 'a' }"),
        "files[0].hive.keys[1].path",
        "duplicate key 'a' of files[0].hive.keys[0]; hint: ",
    ),
    "root twice": (hive("{ path = '' }", "{ path = '' }"), "files[0].hive.keys[1].path", "name each key once"),
    "key in other case": (
        hive("{ path = 'a' }", "{ path = 'A' }"),
        "files[0].hive.keys[1].path",
        "'A' differs from 'a' in case only",
    ),
    "parent in other case": (
        hive(r"{ path = 'a\b' }", r"{ path = 'A\c' }"),
        "files[0].hive.keys[1].path",
        "'A' differs from 'a' in case only; hint: use one spelling",
    ),
    "empty key name": (hive(r"{ path = 'a\\b' }"), KEY + ".path", "invalid key name ''; hint: use 1 to 255"),
    "leading backslash": (hive(r"{ path = '\a' }"), KEY + ".path", "invalid key name ''"),
    "key of 256": (hive(f"{{ path = '{'k' * 256}' }}"), KEY + ".path", "use 1 to 255 printable ASCII"),
    "key beyond ASCII": (hive("{ path = 'ä' }"), KEY + ".path", "invalid key name 'ä'"),
    "key with tab": (hive("{ path = 'a\tb' }"), KEY + ".path", "invalid key name"),
    "level 513": (
        hive(f"{{ path = '{chr(92).join('k' * 512)}' }}"),
        KEY + ".path",
        "on level 513; hint: nest at most 512 levels",
    ),
    "501 subkeys": (
        hive(*(f"{{ path = 'k{n}' }}" for n in range(501))),
        "files[0].hive.keys[500].path",
        "more than 500 subkeys; hint: use at most 500",
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
        "duplicate value name 'v' of values[0]; hint: name each value once",
    ),
    "value's name of 16,384": (
        value("REG_DWORD", "1", "n" * 16_384),
        VALUE + ".name",
        "use at most 16383 characters",
    ),
    "value's name with NUL": (
        file('hive = { keys = [{ path = "", values = [{ name = "a\\u0000", type = "REG_NONE", data = "" }] }] }'),
        VALUE + ".name",
        "invalid value name; hint: use at most 16383 characters, no NUL",
    ),
    "value type": (
        value("REG_LINK", "''"),
        VALUE + ".type",
        "unknown value type 'REG_LINK'; hint: use one of REG",
    ),
    "long value type": (value(LONG, "''"), VALUE + ".type", "unknown value type 'xxx"),
    "16,345 bytes": (
        value("REG_BINARY", f"'{'00' * 16_345}'"),
        VALUE + ".data",
        "16345 bytes are too many; hint: store at most 16344",
    ),
    "text too long": (value("REG_SZ", f"'{'x' * 8172}'"), VALUE + ".data", "16346 bytes are too many"),
    "negative": (value("REG_DWORD", "-1"), VALUE + ".data", "-1 is out of place; hint: use an integer from 0 to 2^32"),
    "33 bits": (value("REG_DWORD", "0x100000000"), VALUE + ".data", "from 0 to 2^32 - 1"),
    "65 bits": (value("REG_QWORD", "0x10000000000000000"), VALUE + ".data", "from 0 to 2^64 - 1"),
    "huge number": (value("REG_QWORD", f"0x{'f' * 9999}"), VALUE + ".data", "from 0 to 2^64 - 1"),
    "boolean as number": (value("REG_DWORD", "true"), VALUE + ".data", "True is out of place; hint: use an integer"),
    "float as number": (value("REG_DWORD", "1.0"), VALUE + ".data", "1.0 is out of place; hint: use an integer"),
    "date as text": (value("REG_SZ", "2020-01-01"), VALUE + ".data", "is out of place; hint: use a string"),
    "text with NUL": (value("REG_SZ", '"a\\u0000"'), VALUE + ".data", "use a string without NUL"),
    "long text with NUL": (value("REG_SZ", f'"{LONG}\\u0000"'), VALUE + ".data", "use a string without NUL"),
    "text as list": (value("REG_MULTI_SZ", "'a'"), VALUE + ".data", "is out of place; hint: use a list of strings"),
    "number in list": (value("REG_MULTI_SZ", "['a', 1]"), VALUE + ".data[1]", "1 is out of place; hint: use a string"),
    "empty in list": (
        value("REG_MULTI_SZ", "['a', '']"),
        VALUE + ".data[1]",
        "ends the list early; hint: leave it out",
    ),
    "binary as number": (value("REG_BINARY", "1"), VALUE + ".data", "use a string of hexadecimal digits"),
    "no data": (hive("{ path = '', values = [{ type = 'REG_SZ' }] }"), VALUE, "missing required field `data`"),
    # BCD elements; test_bcd.py has the rest.
    "device": (
        file(BCD + "elements.0x11000001 = 1"),
        OBJECT + ".elements.0x11000001",
        "device elements are not supported; hint: use an element of another format",
    ),
    "description with NUL": (
        file(BCD + 'elements.description = "a\\u0000"'),
        OBJECT + ".elements.description",
        "use a string without NUL",
    ),
    "unknown element": (
        file(BCD + "elements.descripton = ''"),
        OBJECT + ".elements.descripton",
        "is not an element of this object; hint: use a name listed in generator/bcd/words.py, such as description",
    ),
    "empty element": (file(BCD + 'elements."" = 1'), OBJECT + ".elements.", "'' is not an element"),
    "long element": (file(BCD + f"elements.{LONG} = 1"), OBJECT + ".elements.xxx", "is not an element"),
    "object id": (
        file("[[files.bcd.objects]]\nid = '{x}'\ntype = 1"),
        OBJECT + ".id",
        "'{x}' is not an object; hint: use a GUID in braces",
    ),
    "object twice": (
        file(BCD + BCD),
        "files[0].bcd.objects[1].id",
        "is a duplicate of files[0].bcd.objects[0].id; hint: name each",
    ),
    "object type": (
        file("[[files.bcd.objects]]\nid = '{bootmgr}'\ntype = 'x'"),
        OBJECT + ".type",
        "'x' is not an object type; hint: use one of fwbootmgr, ",
    ),
    "object type too large": (
        file("[[files.bcd.objects]]\nid = '{bootmgr}'\ntype = 0x100000000"),
        OBJECT + ".type",
        "from 0 to 2^32 - 1",
    ),
    "501 elements": (
        file(BCD + "".join(f"elements.0x1500{n:04x} = 0\n" for n in range(501))),
        OBJECT + ".elements",
        "501 are too many for one key; hint: keep to 500",
    ),
    "long description": (
        file(BCD + f"elements.description = '{'x' * 8172}'"),
        OBJECT + ".elements.description",
        "16346 bytes are too many; hint: store at most 16344",
    ),
}


@pytest.mark.parametrize(("text", "key", "words"), REFUSED.values(), ids=REFUSED)
def test_invalid_specification_is_refused_with_file_key_and_hint(text: str, key: str, words: str) -> None:
    line = refusal(lambda: parse(text))
    assert line.startswith(f"{SHOWN}: {key}")
    assert key.endswith("xxx") or not key or line.startswith(f"{SHOWN}: {key}: ")
    assert words in line


@pytest.mark.parametrize(
    "name", ["con", "PRN", "Aux.txt", "nul", "COM1", "com9.x.y", "lpt0", "CONIN$", "conout$", "nul .txt", "com1 "]
)
def test_device_name_is_refused_in_any_case_and_with_any_extension(name: str) -> None:
    assert "files[0].path: " in refusal(lambda: parse(file(path=f"Files/{name}/x")))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = " + "[" * 100_000, "line 1: arrays or tables nested"),
        ("a = 1" + "0" * 5000, "invalid TOML: Exceeds the limit"),
    ],
)
def test_text_that_exhausts_the_parser_is_refused(text: str, problem: str) -> None:
    assert problem in refusal(lambda: parse(text))


def test_invalid_utf8_is_refused_with_its_offset() -> None:
    line = refusal(lambda: spec.parse("sample", b"# \xe4\n", SHOWN))
    assert line == f"{SHOWN}: byte 2 is not UTF-8; hint: save the file as UTF-8"
