# SPDX-License-Identifier: Apache-2.0
"""`inspect --reg`: .reg text is that of hivexregedit --export, byte for byte."""

import contextlib
import os
import pty
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.counts import count, thorough
from helpers.hive_maker import Node, make, sample, text
from helpers.sample_hives import EXPECTED, LEVELS, sample_hive
from helpers.support import need
from helpers.views import run
from helpers.wine import on_windows

from generator.base.errors import GeneratorError
from generator.cli import parser
from generator.hives.model import REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_SZ, Value, fold_name
from generator.hives.reader import read
from generator.hives.rules import Level
from generator.views import regfile

BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"
DEFAULT = "{6a6c1f1b-59d4-11ea-9438-9402e6abd998}"


PREFIX = r"HKEY_LOCAL_MACHINE\SOFTWARE\Test"


def by_hivexregedit(path: Path, key: str = "\\", *options: str) -> bytes:
    """Return the export of a hive by Debian's hivexregedit."""
    command = [need("hivexregedit"), "--export", *options, str(path), key]
    return subprocess.run(command, check=True, capture_output=True).stdout


def random_node(chance: random.Random, name: str, level: int = 0) -> Node:
    """Return a key with random values, and subkeys down to a few levels."""
    letters = "abcXYZ019 _-.{}[]^`~!@/\"'=;#éÿΩ中\U0001f600\x01\t\x7f\xa0\u202e"

    def names(most: int, least: int) -> list[str]:
        some = ("".join(chance.choices(letters, k=chance.randrange(least, 9))) for _ in range(chance.randrange(most)))
        return sorted(
            {fold_name(one): one for one in some}.values(), key=lambda one: fold_name(one).encode("utf-16-be")
        )

    kinds = (0, REG_SZ, REG_BINARY, REG_DWORD, 5, 6, REG_MULTI_SZ, 11, 0xFFFF, 0x80000001)
    sizes = (0, 1, 3, 4, 5, 8, 100, 16344, 40000)
    values = [Value(each, chance.choice(kinds), chance.randbytes(chance.choice(sizes))) for each in names(5, 0)]
    below = [random_node(chance, each, level + 1) for each in names(5, 1)] if level < 3 else []
    return Node(name, values=values, subkeys=below, leaf=chance.choice(("lh", "li", "ri")))


@pytest.mark.parametrize("seed", range(count(3, 12)))
def test_reg_text_of_random_hives_equals_hivexregedit(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311
    (tmp_path / "hive").write_bytes(make(random_node(chance, "root")).data)
    assert run("inspect", tmp_path / "hive", "--reg", ".") == (0, by_hivexregedit(tmp_path / "hive"))


@pytest.mark.parametrize("name", [name for name in EXPECTED if LEVELS.get(name) != Level.REFUSED])
def test_reg_text_of_sample_hives_equals_hivexregedit(name: str, tmp_path: Path) -> None:
    (tmp_path / "hive").write_bytes(sample_hive(name))
    if name in {
        "yarp-System_Delta",
        "yarp-TruncatedPairHive",
    }:  # hivex refuses values without data and unpaired surrogates
        with pytest.raises(subprocess.CalledProcessError):
            by_hivexregedit(tmp_path / "hive")
    else:
        assert run("inspect", tmp_path / "hive", "--reg", ".") == (0, by_hivexregedit(tmp_path / "hive"))


def test_reg_text_of_one_key_equals_hivexregedit(tmp_path: Path) -> None:
    (tmp_path / "hive").write_bytes(sample().data)
    keys = [key.path for key in read(bytes(sample().data), keys=True).hive if key.path and "\\" not in key.path[-1]]
    assert len(keys) > 5
    for path in keys[:10]:
        key = "\\".join(path)
        assert run("inspect", tmp_path / "hive", "--reg", key.upper())[1] == by_hivexregedit(tmp_path / "hive", key)


def test_reg_text_of_a_hive_in_a_layer_equals_hivexregedit(tmp_path: Path) -> None:
    (tmp_path / "hive").write_bytes(run("layer", "scratch", "--bcd")[1])
    assert run("inspect", "scratch", "--reg", f"{BCD}\\Objects") == (
        0,
        by_hivexregedit(tmp_path / "hive", "Objects"),
    )
    for path, wrong in (
        ("Files", "Files is not a registry hive"),
        (f"{BCD}\\a", "has no key 'a'"),
        (".", ". is not a registry"),
    ):
        with pytest.raises(GeneratorError, match=wrong):
            run("inspect", "scratch", "--reg", path)


@pytest.mark.parametrize("rest", [1, 4])
def test_reg_text_has_the_last_segment_that_hivex_drops(rest: int, tmp_path: Path) -> None:
    data = bytes([7]) * (16344 + rest)
    (tmp_path / "hive").write_bytes(make(Node("root", values=[Value("a", REG_BINARY, data)])).data)
    assert run("inspect", tmp_path / "hive", "--reg", ".")[1].count(b"07") == len(data)


def test_reg_text_of_a_damaged_hive_is_partial_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make(Node("root", subkeys=[Node("a", values=[Value("x", REG_DWORD, bytes(4))]), Node("b")]))
    made.data[made.at["key b"]] = 0
    (tmp_path / "hive").write_bytes(made.data)
    status, found = run("inspect", tmp_path / "hive", "--reg", ".")
    assert status == 1
    assert found == regfile.HEAD + b'[\\]\n\n[\\a]\n"x"=dword:00000000\n\n'
    assert "hive: refused: offset 0x" in capsys.readouterr().err


def test_reg_text_is_escaped_only_on_a_terminal(tmp_path: Path) -> None:
    name = "\n::error::x ##[error]\x1b[31m"
    (tmp_path / "hive").write_bytes(make(Node("root", values=[Value(name, REG_DWORD, bytes(4))])).data)
    assert f'"{name}"=dword:00000000\n'.encode() in run("inspect", tmp_path / "hive", "--reg", ".")[1]
    ours, its = pty.openpty()
    with os.fdopen(its, "w", encoding="utf-8") as terminal, contextlib.redirect_stdout(terminal):
        assert parser.main(["inspect", str(tmp_path / "hive"), "--reg", "."]) == 0
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal that nobody has open
        while part := os.read(ours, 1 << 16):
            shown += part
    os.close(ours)
    assert b"\x1b" not in shown
    assert rb":\x3aerror::x" in shown
    assert rb"#\x23[error]\x1b[31m" in shown


def _safe(node: Node) -> Node:
    """Return a key without names that have control characters, of which Perl and Windows make something else."""
    below = [_safe(each) for each in node.subkeys if each.name.isprintable()]
    return Node(node.name, values=[v for v in node.values if v.name.isprintable()], subkeys=below)


@pytest.mark.parametrize("seed", range(count(3, 12)))
def test_text_for_regedit_is_hivexregedits_with_a_prefix_in_utf_16(seed: int, tmp_path: Path) -> None:
    node = _safe(random_node(random.Random(seed), "root"))  # noqa: S311
    (tmp_path / "hive").write_bytes(make(node).data)
    status, text = run("inspect", tmp_path / "hive", "--reg", ".", "--prefix", PREFIX + "\\")
    expected = by_hivexregedit(tmp_path / "hive", "\\", "--prefix", PREFIX).splitlines(keepends=True)
    lines = text.decode("utf-16").splitlines(keepends=True)
    assert status == 0
    assert lines[2] == f"[{PREFIX}]\r\n"
    assert expected[2] == f"[{PREFIX}\\]\n".encode()  # regedit imports no key whose name ends in a backslash
    assert [_as_perl(line.replace("\r\n", "\n")) for line in lines[3:]] == expected[3:]


def _as_perl(line: str) -> bytes:
    try:
        return line.encode("latin-1")
    except UnicodeEncodeError:
        return line.encode()


@thorough("starts wine several times")
def test_regedit_imports_the_text(tmp_path: Path) -> None:
    values = [
        Value("", REG_SZ, text("größe Ω")),
        Value('quoted "\\"', REG_SZ, text("x")),
        Value("Ωmega", REG_MULTI_SZ, "a\0中\0\0".encode("utf-16-le")),
        Value("dword", REG_DWORD, b"\1\2\3\4"),
        Value("binary", REG_BINARY, bytes(range(256))),
        Value("none", 0, b""),
        Value("path", 2, text("%SystemRoot%")),
    ]
    node = Node("root", values=values, subkeys=[Node("a b", subkeys=[Node("größe]", values=values[:2])]), Node("Ω")])
    (tmp_path / "hive").write_bytes(make(node).data)
    reg = run("inspect", tmp_path / "hive", "--reg", ".", "--prefix", PREFIX)[1]
    (tmp_path / "in.reg").write_bytes(reg)
    for words in (("/S", f"Z:{tmp_path}/in.reg"), ("/E", f"Z:{tmp_path}/out.reg", PREFIX)):
        on_windows(Path("regedit"), *words, folder=tmp_path)
    again = (tmp_path / "out.reg").read_bytes().decode("utf-16").replace("\\\r\n  ", "")
    assert sorted(_values(again)) == sorted(_values(reg.decode("utf-16")))


def _values(reg: str) -> Iterator[tuple[str, str]]:
    """Yield each line of a .reg text with its key; strings in hexadecimal."""
    key = ""
    for line in reg.split("\r\n")[1:]:
        key = line if line.startswith("[") else key
        name, equals, string = line.partition('="')
        if equals:
            string = string[:-1].replace('\\"', '"').replace("\\\\", "\\") + "\0"
            yield key, f"{name}=hex(1):{string.encode('utf-16-le').hex(',')}"
        else:
            yield key, line.replace("=hex:", "=hex(3):")


def test_names_with_line_ends_are_left_out_for_regedit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = [Value("x\r\n[HKEY_LOCAL_MACHINE\\SYSTEM]\r\ny", REG_DWORD, bytes(4))]
    node = Node("root", subkeys=[Node("bad", values=values, subkeys=[Node("below")]), Node("good")])
    (tmp_path / "hive").write_bytes(make(node).data)
    status, found = run("inspect", tmp_path / "hive", "--reg", ".", "--prefix", PREFIX)
    assert status == 1
    assert found.decode("utf-16").split("\r\n")[2:] == [f"[{PREFIX}]", "", f"[{PREFIX}\\good]", "", ""]
    assert r"left out: \bad: a line end or NUL in a name" in capsys.readouterr().err


def test_a_prefix_is_a_key_of_the_registry() -> None:
    for prefix in ("SOFTWARE", "HKLM\\SOFTWARE", "HKEY_LOCAL_MACHINE\\a\nb"):
        with pytest.raises(GeneratorError, match="not a key of the registry; hint: a key in one of HKEY_LOCAL_MACHINE"):
            run("inspect", "scratch", "--reg", BCD, "--prefix", prefix)
    with pytest.raises(GeneratorError, match="--prefix needs --reg"):
        run("inspect", "scratch", "--prefix", "HKEY_LOCAL_MACHINE")
