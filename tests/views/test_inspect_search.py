# SPDX-License-Identifier: Apache-2.0
"""`inspect --find`, `--depth`, and columns that do not repeat."""

import struct
from pathlib import Path

import pytest
from helpers.hive_maker import Node, make, text
from helpers.layouts import ROOTS, Part, directory, tarred
from helpers.views import layout, printed, run

from generator.base.errors import GeneratorError
from generator.hives.model import REG_BINARY, REG_MULTI_SZ, REG_SZ, Value
from generator.views.tree_lines import TreeLine, chosen

NODE = Node(
    "root",
    subkeys=[
        Node("Alpha", subkeys=[Node("Inner", values=[Value("name", REG_SZ, text("the Needle"))]), Node("last")]),
        Node("beta", values=[Value("needle", REG_BINARY, b"\1"), Value("other", REG_BINARY, b"\2")]),
        Node("gamma", values=[Value("long", REG_SZ, text("x" * 5000 + "needle"))]),
        Node("many", values=[Value("list", REG_MULTI_SZ, ("y" * 300 + "\0NEEDLE\0\0").encode("utf-16-le"))]),
    ],
)


@pytest.fixture
def hive(tmp_path: Path) -> Path:
    (tmp_path / "hive").write_bytes(make(NODE).data)
    return tmp_path / "hive"


def _words(lines: list[str]) -> list[str]:
    """Return the first word of each line below the title, with its level."""
    return [f"{(len(line) - len(line.lstrip())) // 2} {line.split()[0]}" for line in lines[1:]]


def test_find_shows_lines_with_the_text_below_those_that_lead_to_them(hive: Path) -> None:
    shown = _words(printed("inspect", hive, "--find", "NEEDLE"))
    assert shown == [
        "1 \\",
        "2 Alpha",
        "3 Inner",
        "4 name",
        "2 beta",
        "3 needle",
        "2 gamma",
        "3 long",
        "2 many",
        "3 list",
    ]
    assert _words(printed("inspect", hive, "--find", "inner", "--path", "alpha")) == ["1 Alpha", "2 Inner"]


def test_find_of_nothing_is_an_error(hive: Path) -> None:
    with pytest.raises(GeneratorError, match=r"inspect: 'absent\\x1b' not found"):
        run("inspect", hive, "scratch", "--find", "absent\x1b")


def test_find_searches_entries_of_images_and_every_name(tmp_path: Path) -> None:
    layers = [tarred([*ROOTS, directory("Files/app"), Part(f"Files/app/{name}", b"")]) for name in ("tool.exe", "b")]
    name = f"oci:{layout(tmp_path / 'image', layers)}"
    shown = printed("inspect", name, "scratch", "--find", "Tool.EXE")
    assert [line.split()[0] for line in shown[1:]] == [shown[1].split()[0], "Files", "app", "tool.exe"]
    assert shown[1].startswith("  sha256:")


def test_depth_cuts_the_tree_and_keeps_verdicts_and_damage(hive: Path) -> None:
    assert _words(printed("inspect", hive, "--depth", "1")) == ["1 \\", "1 7"]
    assert _words(printed("inspect", hive, "--depth", "2"))[:5] == ["1 \\", "2 Alpha", "2 beta", "2 gamma", "2 many"]
    shown = printed("inspect", "scratch", "--depth", "5")
    assert not any("REG_" in line for line in shown)
    assert sum("good hive" in line for line in shown) == 5
    made = make(NODE)
    made.data[made.at["key beta"]] = 0
    hive.write_bytes(made.data)
    shown = printed("inspect", hive, "--depth", "0", status=1)
    assert shown[1].startswith("  refused: offset 0x")
    assert any("refused: offset" in line for line in printed("inspect", hive, "--find", "gamma", status=1))


def test_depth_and_find_need_a_tree_and_a_number() -> None:
    for words, wrong in (
        (("--depth", "1", "--json"), "need a tree"),
        (("--find", "a", "--bcd"), "need a tree"),
        (("--depth", "few"), "--depth 'few' is not a number of levels; hint: --depth 2"),
    ):
        with pytest.raises(GeneratorError, match=wrong):
            run("inspect", "scratch", *words)


def test_lines_that_lead_to_several_matches_are_printed_once() -> None:
    lines = [TreeLine(level, (("name", name),)) for level, name in enumerate(("top", "a", "b x", "c x"))]
    lines += [TreeLine(2, (("", "x again"),), remark=True), TreeLine(3, (("name", "d x"),)), TreeLine(1, (("", "e"),))]
    found = [each.text() for each in chosen(lines, None, "X")]
    assert found == ["top", "a", "b x", "c x", "x again", "d x"]


def test_the_time_of_a_key_is_printed_if_it_is_not_that_of_the_key_above(tmp_path: Path) -> None:
    made = make(Node("root", subkeys=[Node("a", subkeys=[Node("b"), Node("c")])]))
    first, second = 132_000_000_000_000_000, 133_000_000_000_000_000
    for key, time in (("", first), ("a", first), ("a\\b", second), ("a\\c", 0)):
        struct.pack_into("<Q", made.data, made.at[f"key {key}"] + 4, time)
    (tmp_path / "hive").write_bytes(made.data)
    shown = printed("inspect", tmp_path / "hive")[1:5]
    assert [line.partition("written ")[2] for line in shown] == [
        "2019-04-17T18:40:00+00:00",
        "",
        "2022-06-18T04:26:40+00:00",
        "at no time",
    ]


def test_a_descriptor_is_printed_if_it_is_not_that_of_the_entry_before(tmp_path: Path) -> None:
    record = {"MSWINDOWS.sd": "O:BAG:BA"}
    parts = [directory("Files", **record), Part("Files/a", records=record), Part("Files/b", records=record)]
    parts += [directory("Files/c", **record), Part("Files/d", records={}), Part("Files/e", records={})]
    (tmp_path / "layer").write_bytes(tarred(parts))
    shown = printed("inspect", tmp_path / "layer")[2:]
    assert [line.split("  ")[-1] for line in shown] == [
        "O:BAG:BA", "O:BAG:BA", "0 bytes", "directory", "no descriptor", "0 bytes",
    ]  # fmt: skip
