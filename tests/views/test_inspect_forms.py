# SPDX-License-Identifier: Apache-2.0
"""The other forms of what is in layers and hives: .reg text, bcdedit's words, bytes with their fields, and JSON."""

import contextlib
import itertools
import os
import pty
import random
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
from helpers.hive_maker import Node, make, sample, text
from helpers.sample_hives import EXPECTED, LEVELS, sample_hive
from helpers.support import need
from helpers.views import SCHEMAS, document, layout, lines, said, tar

from generator.base.errors import GeneratorError
from generator.cli import parser
from generator.hives.model import REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_SZ, Value, fold_name
from generator.hives.reader import read
from generator.hives.rules import Level
from generator.views import regfile

BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"
DEFAULT = "{6a6c1f1b-59d4-11ea-9438-9402e6abd998}"


# --reg


def by_hivexregedit(path: Path, key: str = "\\") -> bytes:
    """Return what Debian's hivexregedit exports of a hive."""
    command = [need("hivexregedit"), "--export", str(path), key]
    return subprocess.run(command, check=True, capture_output=True).stdout


def random_node(chance: random.Random, name: str, level: int = 0) -> Node:
    """Return a key with any values, and subkeys down to a few levels."""
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


@pytest.mark.parametrize("seed", range(12))
def test_a_random_hives_reg_text_is_hivexregedits_byte_for_byte(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311
    (tmp_path / "hive").write_bytes(make(random_node(chance, "root")).data)
    assert said("inspect", tmp_path / "hive", "--reg", ".") == (0, by_hivexregedit(tmp_path / "hive"))


@pytest.mark.parametrize("name", [name for name in EXPECTED if LEVELS.get(name) != Level.REFUSED])
def test_a_samples_reg_text_is_hivexregedits_byte_for_byte(name: str, tmp_path: Path) -> None:
    (tmp_path / "hive").write_bytes(sample_hive(name))
    if name in {"yarp-System_Delta", "yarp-TruncatedPairHive"}:  # hivex does not read values without data, half pairs
        with pytest.raises(subprocess.CalledProcessError):
            by_hivexregedit(tmp_path / "hive")
    else:
        assert said("inspect", tmp_path / "hive", "--reg", ".") == (0, by_hivexregedit(tmp_path / "hive"))


def test_the_reg_text_of_one_key_is_hivexregedits(tmp_path: Path) -> None:
    (tmp_path / "hive").write_bytes(sample().data)
    keys = [key.path for key in read(bytes(sample().data), keys=True).hive if key.path and "\\" not in key.path[-1]]
    assert len(keys) > 5
    for path in keys[:10]:
        key = "\\".join(path)
        assert said("inspect", tmp_path / "hive", "--reg", key.upper())[1] == by_hivexregedit(tmp_path / "hive", key)


def test_the_reg_text_of_a_layers_hive_is_that_of_the_hive(tmp_path: Path) -> None:
    (tmp_path / "hive").write_bytes(said("layer", "scratch", "--bcd")[1])
    assert said("inspect", "scratch", "--reg", f"{BCD}\\Objects") == (0, by_hivexregedit(tmp_path / "hive", "Objects"))
    for path, wrong in (
        ("Files", "Files is no registry hive"),
        (f"{BCD}\\a", "has no key 'a'"),
        (".", ". is no registry"),
    ):
        with pytest.raises(GeneratorError, match=wrong):
            said("inspect", "scratch", "--reg", path)


@pytest.mark.parametrize("rest", [1, 4])
def test_the_last_bytes_of_segmented_data_that_hivex_leaves_out_are_in_the_reg_text(rest: int, tmp_path: Path) -> None:
    data = bytes([7]) * (16344 + rest)
    (tmp_path / "hive").write_bytes(make(Node("root", values=[Value("a", REG_BINARY, data)])).data)
    assert said("inspect", tmp_path / "hive", "--reg", ".")[1].count(b"07") == len(data)


def test_a_damaged_hives_reg_text_is_what_can_be_read_and_the_status_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make(Node("root", subkeys=[Node("a", values=[Value("x", REG_DWORD, bytes(4))]), Node("b")]))
    made.data[made.at["key b"]] = 0
    (tmp_path / "hive").write_bytes(made.data)
    status, found = said("inspect", tmp_path / "hive", "--reg", ".")
    assert status == 1
    assert found == regfile.HEAD + b'[\\]\n\n[\\a]\n"x"=dword:00000000\n\n'
    assert "hive: refused: offset 0x" in capsys.readouterr().err


def test_reg_text_is_escaped_on_a_terminal_alone(tmp_path: Path) -> None:
    name = "\n::error::x ##[error]\x1b[31m"
    (tmp_path / "hive").write_bytes(make(Node("root", values=[Value(name, REG_DWORD, bytes(4))])).data)
    assert f'"{name}"=dword:00000000\n'.encode() in said("inspect", tmp_path / "hive", "--reg", ".")[1]
    ours, its = pty.openpty()
    with os.fdopen(its, "w", encoding="utf-8") as terminal, contextlib.redirect_stdout(terminal):
        assert parser.main(["inspect", str(tmp_path / "hive"), "--reg", "."]) == 0
    shown = b""
    with contextlib.suppress(OSError):  # with which a terminal that nobody has open ends
        while part := os.read(ours, 1 << 16):
            shown += part
    os.close(ours)
    assert b"\x1b" not in shown
    assert rb":\x3aerror::x" in shown
    assert rb"#\x23[error]\x1b[31m" in shown


# --bcd


def test_a_layers_store_is_as_bcdedit_prints_it() -> None:
    assert lines("inspect", "scratch", "--bcd") == [
        f"scratch: {BCD}",
        "",
        "Windows Boot Manager",
        "--------------------",
        "identifier              {bootmgr}",
        "default                 {default}",
        "",
        "Windows Boot Loader",
        "-------------------",
        "identifier              {default}",
        "description             winscratch",
    ]
    with pytest.raises(GeneratorError, match="hostprocess: no BCD store is in it"):
        said("inspect", "hostprocess", "--bcd")


def store(elements: dict[str, Value], kind: int = 0x10200003) -> Node:
    """Return a store of one object with elements by their numbers."""
    below = [Node(number, values=[value]) for number, value in sorted(elements.items())]
    about = Node("Description", values=[Value("Type", REG_DWORD, kind.to_bytes(4, "little"))])
    one = Node(DEFAULT, subkeys=[about, Node("Elements", subkeys=below)])
    return Node("root", subkeys=[Node("Objects", subkeys=[one])])


def device(kind: int, rest: bytes, options: bytes = bytes(16)) -> bytes:
    return options + b"".join(number.to_bytes(4, "little") for number in (kind, 0, 16 + len(rest), 0)) + rest


GPT = bytes(range(16)) + bytes(8) + bytes(range(16, 32)) + bytes(16)
MBR = (
    (0x100000).to_bytes(16, "little")
    + bytes(4)
    + (1).to_bytes(4, "little")
    + (0xABCD).to_bytes(4, "little")
    + bytes(28)
)
PART = "{03020100-0504-0706-0809-0a0b0c0d0e0f} of disk {13121110-1514-1716-1819-1a1b1c1d1e1f}"
RAMDISK = (3).to_bytes(4, "little") + bytes(36) + device(6, GPT)[16:] + text("\\a.wim")


@pytest.mark.parametrize(
    ("number", "data", "shown"),
    [
        ("26000022", b"\1", "winpe                   Yes"),
        ("25000020", (3).to_bytes(8, "little"), "nx                      AlwaysOn"),
        ("25000020", (9).to_bytes(8, "little"), "nx                      9"),
        ("15000007", (4096).to_bytes(8, "little"), "truncatememory          0x1000"),
        ("15000014", (115200).to_bytes(8, "little"), "baudrate                115200"),
        ("17000077", (0x15000075).to_bytes(8, "little"), "allowedinmemorysettings 0x15000075"),
        ("46000010", b"\0", "custom:46000010         No"),
        ("26000022", b"\1\2", "winpe                   0102  [a REG_BINARY of 2 bytes; Windows reads 1 byte]"),
        ("11000001", device(5, bytes(8)), "device                  boot"),
        ("21000001", device(6, GPT), f"osdevice                partition={PART}"),
        ("21000001", device(6, MBR), "osdevice                partition=0x100000 of disk 0x0000abcd"),
        (
            "11000001",
            device(0, RAMDISK, bytes(range(16))),
            f"device                  ramdisk=[{PART}]\\a.wim,{{03020100-0504-0706-0809-0a0b0c0d0e0f}}",
        ),
        (
            "11000001",
            b"\1\2",
            "device                  0102  [a REG_BINARY of 2 bytes; Windows reads a device with its own size]",
        ),
    ],
)
def test_an_element_is_as_bcdedit_prints_it(number: str, data: bytes, shown: str, tmp_path: Path) -> None:
    (tmp_path / "BCD").write_bytes(make(store({number: Value("Element", REG_BINARY, data)})).data)
    assert lines("inspect", tmp_path / "BCD", "--bcd")[1:] == [
        "Windows Boot Loader",
        "-------------------",
        f"identifier              {DEFAULT}",
        shown,
    ]


def test_a_list_of_objects_has_a_line_each(tmp_path: Path) -> None:
    listed = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}\0{b2721d73-1db4-4c62-bf78-c548a880142d}\0\0".encode("utf-16-le")
    made = store({"24000001": Value("Element", REG_MULTI_SZ, listed)}, 0x10100002)
    (tmp_path / "BCD").write_bytes(make(made).data)
    assert lines("inspect", tmp_path / "BCD", "--bcd")[-2:] == [
        "displayorder            {bootmgr}",
        "                        {memdiag}",
    ]


def test_windows_own_store_is_as_bcdedit_prints_it(tmp_path: Path) -> None:
    (tmp_path / "BCD").write_bytes(sample_hive("regipy-BCD"))
    shown = lines("inspect", tmp_path / "BCD", "--bcd")
    titles = [line for line, below in itertools.pairwise(shown) if below and not below.strip("-")]
    assert titles == [
        *("Firmware Boot Manager", "Windows Boot Manager", *["Firmware Application (101fffff)"] * 3),
        *("Windows Boot Loader", "Windows Boot Loader", "Resume from Hibernate", "Windows Memory Tester"),
        *("EMS Settings", "Debugger Settings", "RAM Defects", "Global Settings", "Boot Loader Settings"),
        *("Hypervisor Settings", "Resume Loader Settings", "Device options"),
    ]
    assert "displaymessageoverride  Recovery" in shown
    assert [line for line in shown if line.startswith("custom:")] == ["custom:46000010         Yes"]


# --hex


def rebuilt(shown: list[str]) -> bytes:
    """Return the bytes of a dump."""
    found = bytearray()
    for line in shown:
        row = re.match(r"  [0-9a-f]{8}  (?:([0-9,]+) zeros|((?:[0-9a-f]{2} ?)+))", line)
        if row:
            found += bytes(int(row[1].replace(",", ""))) if row[1] else bytes.fromhex(row[2])
    return bytes(found)


@pytest.mark.parametrize("layer", ["scratch", "legacy"])
def test_a_dump_of_all_has_each_byte_once_and_names_structures_and_fields(layer: str) -> None:
    shown = lines("inspect", layer, "--hex", ".")
    assert rebuilt(shown) == said("layer", layer, "--tar")[1]
    for told in (
        "0x0000  tar header, 512 bytes",
        "  size  ",
        "key, ",
        "  number of subkeys  2",
        "  security descriptor  ",
    ):
        assert any(told in line for line in shown), told
    assert len(shown) < 5000  # zeros are folded


def test_a_dump_begins_and_ends_where_it_is_asked_to() -> None:
    bcd = said("layer", "scratch", "--bcd")[1]
    assert rebuilt(lines("inspect", "scratch", "--hex", BCD)) == bcd
    for offset, length in ((0, 4), (4097, 100), (0x1000, 0x20)):
        some = lines("inspect", "scratch", "--hex", BCD, "--offset", hex(offset), "--length", str(length))
        assert rebuilt(some) == bcd[offset : offset + length]
        assert int(some[1].split()[0], 16) == offset
    with pytest.raises(GeneratorError, match=r"--offset 0x3000 is beyond '.*BCD', which ends at 0x3000$"):
        said("inspect", "scratch", "--hex", BCD, "--offset", "0x3000")


def test_a_dump_of_a_key_is_all_that_makes_the_key_and_nothing_of_other_keys() -> None:
    shown = lines("inspect", "scratch", "--hex", f"{BCD}\\Description")
    kinds = [re.sub(r"^0x\w+  (.*), .*", r"\1", line) for line in shown if line.startswith("0x")]
    assert sorted(kinds) == sorted(["security record", "key", "values list", "value", "value", "value data"])
    assert any(line.endswith("name  FirmwareModified") for line in shown)
    for number, line in enumerate(shown):
        if line.startswith("0x"):  # an offset is taken as it is shown
            assert (
                lines("inspect", "scratch", "--hex", f"{BCD}\\Description", "--offset", line.split()[0])
                == (shown[number:])
            )


def test_bytes_and_keys_of_an_image_are_those_of_the_layer_that_has_them(tmp_path: Path) -> None:
    layers = [said("layer", "scratch", "--tar")[1], tar([("Files", None, {}), ("Files/a", b"abc", {})])]
    image = f"oci:{layout(tmp_path / 'image', layers)}"
    assert rebuilt(lines("inspect", image, "--hex", "Files/a")) == b"abc"
    for words in (("--hex", f"{BCD}\\Description"), ("--reg", f"{BCD}\\Description"), ("--hex", BCD)):
        assert said("inspect", image, *words) == said("inspect", "scratch", *words)
    for words in (("--hex", "."), ("--hex", "Files")):
        with pytest.raises(GeneratorError, match=r"about one layer, and 2 layers have .*blobs/sha256/"):
            said("inspect", image, *words)


@pytest.mark.parametrize("number", ["x", "-1", "0x", "1" * 30, "1e3"])
def test_what_is_no_number_of_bytes_is_refused(number: str) -> None:
    with pytest.raises(GeneratorError, match=r"--offset .* is no number of bytes"):
        said("inspect", "scratch", "--hex", ".", f"--offset={number}")


def test_options_that_do_not_go_together_are_refused() -> None:
    for words in (("--hex", ".", "--json"), ("--bcd", "--reg", "."), ("--length", "1"), ("--path", "a", "--hex", ".")):
        with pytest.raises(GeneratorError, match=r"^inspect: "):
            said("inspect", "scratch", *words)
    with pytest.raises(GeneratorError, match="about one layer or hive; name one"):
        said("inspect", "--hex", ".")


# --json


def test_schemas_are_schemas() -> None:
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_a_layers_document_has_all_that_the_layer_has() -> None:
    (found,) = document("inspect", "scratch")["opened"]
    about = lines("layer", "scratch", "--info")
    assert f'  "diffID": "{found["diffID"]}",' in about
    assert f'  "digest": "{found["digest"]}",' in about
    bcd = next(entry for entry in found["entries"] if entry["path"] == BCD)
    raw = said("layer", "scratch", "--tar")[1]
    hive = raw[bcd["offset"] : bcd["offset"] + bcd["size"]]
    known = read(hive, keys=True).hive
    for told, key in zip(bcd["hive"]["keys"], known, strict=True):
        assert tuple(told["path"]) == key.path
        assert hive[told["offset"] : told["offset"] + 2] == b"nk"
        assert told["descriptor"].startswith("O:BAG:SYD:P(")
        for value, one in zip(told["values"], key.values, strict=True):
            assert (value["name"], value["type"], bytes.fromhex(value["bytes"])) == (one.name, one.type, one.data)
            assert hive[value["offset"] : value["offset"] + 2] == b"vk"
    elements = {one["name"]: [element["name"] for element in one["elements"]] for one in bcd["hive"]["bcd"]}
    assert elements == {"": ["description"], "{bootmgr}": ["default"]}
    assert bcd["hive"]["findings"] == []


def test_a_document_of_one_key_has_that_and_what_is_below(tmp_path: Path) -> None:
    (found,) = document("inspect", "scratch", "--path", f"{BCD}\\objects")["opened"]
    (entry,) = found["entries"]
    assert all(key["path"][0] == "Objects" for key in entry["hive"]["keys"])
    assert len(entry["hive"]["keys"]) == 9
    with pytest.raises(GeneratorError, match="has no key 'none'"):
        said("inspect", "scratch", "--json", "--path", f"{BCD}\\none")
    (tmp_path / "hive").write_bytes(sample().data)
    (found,) = document("inspect", tmp_path / "hive")["opened"]
    assert len(found["hive"]["keys"]) == read(bytes(sample().data)).key_count


def test_an_images_document_has_its_layers(tmp_path: Path) -> None:
    made = tar([("Files", None, {}), ("Files/a", b"abc", {}), ("Hives", None, {})])
    layout(tmp_path / "image", [made], config={"config": {"User": "ContainerUser"}})
    (found,) = document("inspect", f"oci:{tmp_path}/image")["opened"]
    assert found["facts"]["user"] == "ContainerUser"
    assert [entry["path"] for entry in found["layers"][0]["entries"]] == ["Files/", "Files/a", "Hives/"]
