# SPDX-License-Identifier: Apache-2.0
"""`inspect --hex`: dumps have every byte once, with structures and fields."""

import re
from pathlib import Path

import pytest
from helpers.views import layout, printed, run, tar

from generator.base.errors import GeneratorError

BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"
DEFAULT = "{6a6c1f1b-59d4-11ea-9438-9402e6abd998}"


def rebuilt(shown: list[str]) -> bytes:
    """Return the bytes that a dump shows."""
    found = bytearray()
    for line in shown:
        row = re.match(r"  [0-9a-f]{8}  (?:([0-9,]+) zeros|((?:[0-9a-f]{2} ?)+))", line)
        if row:
            found += bytes(int(row[1].replace(",", ""))) if row[1] else bytes.fromhex(row[2])
    return bytes(found)


@pytest.mark.parametrize("layer", ["scratch", "legacy"])
def test_hex_of_a_layer_has_each_byte_once_with_structures_and_fields(layer: str) -> None:
    shown = printed("inspect", layer, "--hex", ".")
    assert rebuilt(shown) == run("layer", layer, "--tar")[1]
    for expected in (
        "0x0000  tar header, 512 bytes",
        "  size  ",
        "key, ",
        "  number of subkeys  2",
        "  security descriptor  ",
    ):
        assert any(expected in line for line in shown), expected
    assert len(shown) < 5000  # zeros are folded


def test_hex_honours_offset_and_length() -> None:
    bcd = run("layer", "scratch", "--bcd")[1]
    assert rebuilt(printed("inspect", "scratch", "--hex", BCD)) == bcd
    for offset, length in ((0, 4), (4097, 100), (0x1000, 0x20)):
        some = printed("inspect", "scratch", "--hex", BCD, "--offset", hex(offset), "--length", str(length))
        assert rebuilt(some) == bcd[offset : offset + length]
        assert int(some[1].split()[0], 16) == offset
    with pytest.raises(GeneratorError, match=r"--offset 0x3000 is beyond '.*BCD', which ends at 0x3000$"):
        run("inspect", "scratch", "--hex", BCD, "--offset", "0x3000")


def test_hex_of_a_key_has_all_its_structures_and_no_other_keys() -> None:
    shown = printed("inspect", "scratch", "--hex", f"{BCD}\\Description")
    kinds = [re.sub(r"^0x\w+  (.*), .*", r"\1", line) for line in shown if line.startswith("0x")]
    assert sorted(kinds) == sorted(["security record", "key", "values list", "value", "value", "value data"])
    assert any(line.endswith("name  FirmwareModified") for line in shown)
    for number, line in enumerate(shown):
        if line.startswith("0x"):  # --offset takes printed offsets
            assert (
                printed("inspect", "scratch", "--hex", f"{BCD}\\Description", "--offset", line.split()[0])
                == (shown[number:])
            )


def test_hex_and_reg_of_an_image_use_the_layer_that_has_the_path(tmp_path: Path) -> None:
    layers = [run("layer", "scratch", "--tar")[1], tar([("Files", None, {}), ("Files/a", b"abc", {})])]
    image = f"oci:{layout(tmp_path / 'image', layers)}"
    assert rebuilt(printed("inspect", image, "--hex", "Files/a")) == b"abc"
    for words in (("--hex", f"{BCD}\\Description"), ("--reg", f"{BCD}\\Description"), ("--hex", BCD)):
        assert run("inspect", image, *words) == run("inspect", "scratch", *words)
    for words in (("--hex", "."), ("--hex", "Files")):
        with pytest.raises(GeneratorError, match=r"takes one layer, and 2 layers have .*blobs/sha256/"):
            run("inspect", image, *words)


@pytest.mark.parametrize("number", ["x", "-1", "0x", "1" * 30, "1e3"])
def test_hex_refuses_invalid_offsets(number: str) -> None:
    with pytest.raises(GeneratorError, match=r"--offset .* is not a number of bytes; hint: --offset 4096 or"):
        run("inspect", "scratch", "--hex", ".", f"--offset={number}")


def test_inspect_refuses_conflicting_options() -> None:
    for words in (("--hex", ".", "--json"), ("--bcd", "--reg", "."), ("--length", "1"), ("--path", "a", "--hex", ".")):
        with pytest.raises(GeneratorError, match=r"^inspect: "):
            run("inspect", "scratch", *words)
    with pytest.raises(GeneratorError, match="takes one layer or hive; hint: name one"):
        run("inspect", "--hex", ".")
