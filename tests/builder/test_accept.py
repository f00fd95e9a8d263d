# SPDX-License-Identifier: Apache-2.0
"""Hives of engines: accepted only if every bit matches; errors name offset and structure."""

import re
import struct
from functools import cache, reduce
from operator import xor
from random import Random

import pytest
from helpers.counts import count
from helpers.random_hives import committed_hives

from generator.base.errors import GeneratorError
from generator.builder.accept import accept
from generator.builder.wire import ROOT
from generator.hives.layout import lay_out
from generator.hives.model import Hive, Key
from generator.hives.reader import describe

BUILDER = "engine docker (hivex 1.3.24)"
STORE, PLAN = committed_hives()["scratch:BCD"]
DISTINCT = list({data: name for name, (data, _) in committed_hives().items()}.values())
PART = 1024  # bytes


def refusal(data: bytes, plan: Hive = PLAN) -> str:
    """Return the error for *data* as the hive of *plan*, one line."""
    with pytest.raises(GeneratorError) as failure:
        accept("scratch:BCD", data, plan, BUILDER)
    line = str(failure.value)
    assert line.isprintable()
    assert line.startswith(f"scratch:BCD: {BUILDER} and builtin make different hives, from offset 0x")
    return line


def place(line: str) -> tuple[int, str]:
    """Return the offset and the structure, without its field, that the error *line* names."""
    offset, _, rest = line.partition(" on (")
    return int(offset.rpartition(" ")[2], 16), re.split("[,)]", rest)[0]


# ---------------------------------------------------------------------------------------------
# Every bit


def structures(hive: bytes) -> list[str]:
    """Return the structure of each byte of a committed *hive*, by an independent walk over its offsets."""
    of = ["base block at 0x0"] * 4096 + ["?"] * (len(hive) - 4096)

    def number(at: int) -> int:
        return int(struct.unpack_from("<I", hive, at)[0])

    def cell(pointer: int, what: str) -> int:
        at = 4096 + pointer
        size = abs(struct.unpack_from("<i", hive, at)[0])
        of[at : at + size] = [f"{what} at 0x{at:x}"] * size
        return at + 4

    at = 4096
    while at < len(hive):
        end = at + number(at + 8)
        of[at : at + 32] = [f"bin header at 0x{at:x}"] * 32
        at += 32
        while at < end:
            cell(at - 4096, "free cell")
            at += abs(struct.unpack_from("<i", hive, at)[0])
    keys = [number(36)]
    for pointer in keys:
        key = cell(pointer, "key")
        cell(number(key + 44), "security record")
        if number(key + 20):
            entries = cell(number(key + 28), "hash leaf") + 4
            keys += [number(entries + 8 * n) for n in range(number(key + 20))]
        if number(key + 36):
            entries = cell(number(key + 40), "values list")
            for n in range(number(key + 36)):
                value = cell(number(entries + 4 * n), "value")
                if not number(value + 4) & 0x80000000:
                    cell(number(value + 8), "value data")
    return of


PARTS = [(name, at) for name in DISTINCT for at in range(0, len(committed_hives()[name][0]), PART)]


@pytest.mark.parametrize(("name", "start"), PARTS)
def test_each_flipped_bit_of_a_committed_hive_is_refused(
    name: str, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The expected layout does not change between flips.
    monkeypatch.setattr("generator.builder.accept.lay_out", cache(lay_out))
    monkeypatch.setattr("generator.builder.accept.describe", cache(describe))
    data, plan = committed_hives()[name]
    of = structures(data)
    for at in range(start, start + PART, count(61, 1)):  # all in a thorough run
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            assert place(refusal(bytes(flipped), plan)) == (at, of[at])


def test_readme_states_the_number_of_flipped_bits() -> None:
    bits = 8 * PART * len(PARTS)
    assert (
        f"| {bits:,} | nothing: all refused, with offset and structure |" in (ROOT / "docs/reliability.md").read_text()
    )


# ---------------------------------------------------------------------------------------------
# Bytes outside keys and values


def edited(*edits: tuple[int, bytes], cell: bytes = b"") -> bytes:
    """Return the store with *edits*, each an offset and bytes, one more bin with the *cell*, and its lengths right."""
    data = bytearray(STORE)
    for at, new in edits:
        data[at : at + len(new)] = new
    if cell:
        size = len(cell) + 32
        assert size % 4096 == 0
        data += struct.pack("<4sII20x", b"hbin", len(data) - 4096, size) + cell
    struct.pack_into("<I", data, 40, len(data) - 4096)
    struct.pack_into("<I", data, 508, reduce(xor, struct.unpack_from("<127I", data)))
    return bytes(data)


ROOT_KEY = 0x1024  # the root key's record
KEY = STORE.index(b"nk \0")  # the first record of another key
ALL_ONES = b"\xff" * 4
CLASS = struct.pack("<i", -4064) + b"smuggled" * 30 + bytes(4064 - 244)
NOISE = struct.pack("<i", (1 << 20) - 32) + Random(1).randbytes((1 << 20) - 36)  # noqa: S311 - to be repeated
# The hive and the offset of the first difference.
SMUGGLED: dict[str, tuple[bytes, int]] = {
    "a class name": (
        edited((KEY + 48, struct.pack("<I", 0x2020)), (KEY + 74, b"\xf0"), (ROOT_KEY + 56, b"\xf0"), cell=CLASS),
        41,
    ),
    "a megabyte of noise": (edited(cell=NOISE), 42),
    "a key that cannot be deleted": (edited((KEY + 2, b"\x28")), KEY + 2),
    "virtualization of a key": (edited((KEY + 54, b"\x12")), KEY + 54),
    "all access bits": (edited((KEY + 12, ALL_ONES)), KEY + 12),
    "a time": (edited((KEY + 4, ALL_ONES)), KEY + 4),
    "what a free cell holds": (edited((0x1800, b"payload")), 0x1800),
    "what pads a cell": (edited((KEY + 76 + struct.unpack_from("<H", STORE, KEY + 72)[0], b"x")), KEY + 87),
    "flags of the base block": (edited((144, b"\1")), 144),
    "one byte more": (STORE + b"\0", len(STORE)),
    "one page less": (STORE[:-4096], len(STORE) - 4096),
    "nothing": (b"", 0),
}


@pytest.mark.parametrize("what", SMUGGLED)
def test_difference_outside_keys_and_values_is_refused(what: str) -> None:
    data, offset = SMUGGLED[what]
    assert place(refusal(data)) == (offset, [*structures(STORE), "after its end"][offset])


def test_refusal_names_the_field() -> None:
    assert f"from offset 0x{KEY + 54:x} on (key at 0x{KEY - 4:x}, virtualization and user flags)" in refusal(
        SMUGGLED["virtualization of a key"][0]
    )


def test_refusal_says_whether_keys_and_values_match() -> None:
    assert ", and keys and values are as specified; " in refusal(edited((0x1800, b"payload")))
    renamed = (*PLAN[:-1], Key((*PLAN[-1].path[:-1], "other"), PLAN[-1].values))
    assert ", and keys and values are not as specified; " in refusal(STORE, renamed)
    assert ", and the engine's hive is damaged: offset 0x1c: found: the file type is 1; " in refusal(
        edited((28, b"\1"))
    )


def test_equal_hive_is_accepted() -> None:
    for name, (data, plan) in committed_hives().items():
        accept(name, data, plan, BUILDER)
