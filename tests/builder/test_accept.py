# SPDX-License-Identifier: Apache-2.0
"""A builder's answer: refused for a single bit, by a line that says where and what."""

import os
import struct
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from operator import xor
from random import Random

import pytest
from plans import committed_hives

from generator.builder.accept import accept
from generator.errors import GeneratorError
from generator.hives.model import Hive, Key

BUILDER = "engine docker (hivex 1.3.24)"
STORE, PLAN = committed_hives()["scratch:BCD"]
DISTINCT = list({data: name for name, (data, _) in committed_hives().items()}.values())
CHUNK = 1024  # bytes


def refusal(data: bytes, plan: Hive = PLAN) -> str:
    """Return what is said of *data* as an answer to *plan*, which is one line."""
    with pytest.raises(GeneratorError) as failure:
        accept("scratch:BCD", data, plan, BUILDER)
    line = str(failure.value)
    assert line.isprintable()
    assert line.startswith(f"scratch:BCD: {BUILDER} and builtin make different hives, from offset 0x")
    return line


def structure(line: str) -> tuple[int, str]:
    """Return the offset that a refusal names, and the structure."""
    offset, _, rest = line.partition(" on (")
    return int(offset.rpartition(" ")[2], 16), rest.partition(")")[0]


# ---------------------------------------------------------------------------------------------
# Every bit


def structures(hive: bytes) -> list[str]:
    """Return what each byte of a committed *hive* is part of, by a walk of its own over what points at what."""
    of = ["the base block"] * 4096 + ["?"] * (len(hive) - 4096)

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
        of[at : at + 32] = [f"a bin's header at 0x{at:x}"] * 32
        at += 32
        while at < end:
            cell(at - 4096, "a free cell")
            at += abs(struct.unpack_from("<i", hive, at)[0])
    keys = [number(36)]
    for pointer in keys:
        key = cell(pointer, "a key")
        cell(number(key + 44), "the security record")
        if number(key + 20):
            entries = cell(number(key + 28), "a subkeys list") + 4
            keys += [number(entries + 8 * n) for n in range(number(key + 20))]
        if number(key + 36):
            entries = cell(number(key + 40), "a values list or data")
            for n in range(number(key + 36)):
                value = cell(number(entries + 4 * n), "a value")
                if not number(value + 4) & 0x80000000:
                    cell(number(value + 8), "a values list or data")
    return of


def refused_bits(name: str, start: int) -> int:
    """Flip each bit of a part of a committed hive, one at a time; return how many there are, if all are refused."""
    data, plan = committed_hives()[name]
    of = structures(data)
    bits = range(8 * start, 8 * (start + CHUNK))
    for bit in bits:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert structure(refusal(bytes(flipped), plan)) == (bit // 8, of[bit // 8])
    return len(bits)


def test_each_single_bit_flipped_of_a_committed_hive_is_refused_by_its_offset_and_structure() -> None:
    parts = [(name, start) for name in DISTINCT for start in range(0, len(committed_hives()[name][0]), CHUNK)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        refused = sum(pool.map(refused_bits, *zip(*parts, strict=True)))
    assert refused == 8 * (12_288 + 8_192)


# ---------------------------------------------------------------------------------------------
# What does not show in keys and values


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


ROOT = 0x1024  # the root key's record
KEY = STORE.index(b"nk \0")  # the first record of another key
ALL_ONES = b"\xff" * 4
CLASS = struct.pack("<i", -4064) + b"smuggled" * 30 + bytes(4064 - 244)
NOISE = struct.pack("<i", (1 << 20) - 32) + Random(1).randbytes((1 << 20) - 36)  # noqa: S311 - to be repeated
# Of each: the hive, and the first byte that is another.
SMUGGLED: dict[str, tuple[bytes, int]] = {
    "a class name": (
        edited((KEY + 48, struct.pack("<I", 0x2020)), (KEY + 74, b"\xf0"), (ROOT + 56, b"\xf0"), cell=CLASS),
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
def test_what_keys_and_values_do_not_show_is_refused_at_its_offset(what: str) -> None:
    data, offset = SMUGGLED[what]
    found, named = structure(refusal(data))
    assert found == offset
    assert named == ([*structures(STORE), "behind its end"][offset])


def test_a_refusal_says_whether_a_reader_finds_the_keys_and_values_that_were_asked_for() -> None:
    assert "; the engine's has the keys and values specified; " in refusal(edited((0x1800, b"payload")))
    renamed = (*PLAN[:-1], Key((*PLAN[-1].path[:-1], "other"), PLAN[-1].values))
    assert "; the engine's has other keys and values than specified; " in refusal(STORE, renamed)
    assert "; the engine's is not sound (offset 0x1c: the file type is 1, " in refusal(edited((28, b"\1")))


def test_the_hive_that_was_asked_for_is_accepted() -> None:
    for name, (data, plan) in committed_hives().items():
        accept(name, data, plan, BUILDER)
