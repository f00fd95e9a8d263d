# SPDX-License-Identifier: Apache-2.0
"""`inspect --bcd`: BCD stores are printed as bcdedit /enum all prints them."""

import itertools
from pathlib import Path

import pytest
from helpers.hive_maker import Node, make, text
from helpers.sample_hives import sample_hive
from helpers.views import printed, run

from generator.base.errors import GeneratorError
from generator.hives.model import REG_BINARY, REG_DWORD, REG_MULTI_SZ, Value

BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"
DEFAULT = "{6a6c1f1b-59d4-11ea-9438-9402e6abd998}"


def test_bcd_prints_a_layers_store_like_bcdedit() -> None:
    assert printed("inspect", "scratch", "--bcd") == [
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
    with pytest.raises(GeneratorError, match="hostprocess: contains no BCD store"):
        run("inspect", "hostprocess", "--bcd")


def store(elements: dict[str, Value], kind: int = 0x10200003) -> Node:
    """Return a BCD store of one object with the given elements by number."""
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
def test_bcd_prints_elements_like_bcdedit(number: str, data: bytes, shown: str, tmp_path: Path) -> None:
    (tmp_path / "BCD").write_bytes(make(store({number: Value("Element", REG_BINARY, data)})).data)
    assert printed("inspect", tmp_path / "BCD", "--bcd")[1:] == [
        "Windows Boot Loader",
        "-------------------",
        f"identifier              {DEFAULT}",
        shown,
    ]


def test_bcd_prints_a_list_of_objects_one_per_line(tmp_path: Path) -> None:
    listed = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}\0{b2721d73-1db4-4c62-bf78-c548a880142d}\0\0".encode("utf-16-le")
    made = store({"24000001": Value("Element", REG_MULTI_SZ, listed)}, 0x10100002)
    (tmp_path / "BCD").write_bytes(make(made).data)
    assert printed("inspect", tmp_path / "BCD", "--bcd")[-2:] == [
        "displayorder            {bootmgr}",
        "                        {memdiag}",
    ]


def test_bcd_prints_a_store_of_windows_like_bcdedit(tmp_path: Path) -> None:
    (tmp_path / "BCD").write_bytes(sample_hive("regipy-BCD"))
    shown = printed("inspect", tmp_path / "BCD", "--bcd")
    titles = [line for line, below in itertools.pairwise(shown) if below and not below.strip("-")]
    assert titles == [
        *("Firmware Boot Manager", "Windows Boot Manager", *["Firmware Application (101fffff)"] * 3),
        *("Windows Boot Loader", "Windows Boot Loader", "Resume from Hibernate", "Windows Memory Tester"),
        *("EMS Settings", "Debugger Settings", "RAM Defects", "Global Settings", "Boot Loader Settings"),
        *("Hypervisor Settings", "Resume Loader Settings", "Device options"),
    ]
    assert "displaymessageoverride  Recovery" in shown
    assert [line for line in shown if line.startswith("custom:")] == ["custom:46000010         Yes"]
