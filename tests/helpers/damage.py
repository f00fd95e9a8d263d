# SPDX-License-Identifier: Apache-2.0
"""Random damage to hives, where it is likely to matter."""

import random
import struct
from collections.abc import Sequence

from .hive_maker import BASE, NIL, seal


def mutate(chance: random.Random, hive: bytes, live: Sequence[range]) -> bytes:
    """Return *hive* with a few random changes where it is *live*; in half of the cases its checksum is made right."""
    data = bytearray(hive)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        _edit(chance, data, live)
    if chance.random() < 0.02:
        size = chance.randrange(len(data) + 64)
        data[size:] = bytes(max(0, size - len(data)))
    return seal(data) if len(data) >= 512 and chance.random() < 0.5 else bytes(data)


NUMBERS = (
    0,
    1,
    2,
    4,
    5,
    8,
    0x20,
    0x28,
    0x7F,
    0xFF,
    0x100,
    0xFFFF,
    0x1000,
    0x3FD9,
    0x7FFFFFFF,
    0x80000000,
    0x80000004,
    NIL,
)


def _edit(chance: random.Random, data: bytearray, live: Sequence[range]) -> None:
    at = chance.choice(chance.choice(live))
    word = at & ~3
    kind = chance.randrange(6)
    if kind == 0:
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[at] = chance.randrange(256)
    elif kind == 2:
        data[word : word + 4] = struct.pack("<I", chance.choice(NUMBERS))
    elif kind == 3:
        number = int.from_bytes(data[word : word + 4], "little") + chance.choice((-8, -4, -1, 1, 4, 8))
        data[word : word + 4] = struct.pack("<I", number & NIL)
    else:
        # One pointer for another, or a record over another.
        size = 4 if kind == 4 else chance.choice((8, 16, 80))
        start = chance.choice(chance.choice(live)) & ~3
        piece = data[start : start + size]
        data[word : word + len(piece)] = piece


def live_parts(hive: bytes) -> tuple[range, ...]:
    """Return the parts of a hive worth damage: the base block's fields, and the bins up to the last zeros."""
    end = len(hive.rstrip(b"\0"))
    return (range(48), *(range(start, min(start + 4096, end)) for start in range(BASE, end, 4096)))
