# SPDX-License-Identifier: Apache-2.0
"""Random plans of hives that Microsoft's offline registry library creates and reads back as they are."""

import random

from generator.hives.model import Hive, Key, Value, fold_name

# Characters of key names. offreg 6.2, under wine, sorts some names otherwise when it opens a hive
# than when it writes one, and drops keys then: those beyond Latin-1 beside small letters beyond ASCII, or [ ] ^ _ `.
ASCII = "".join(map(chr, range(0x20, 0x7F))).replace("\\", "")
BEYOND = "".join(filter(str.isalnum, ASCII)) + "ÄÉØßΑΩЖ日本語"
SIZES = {4: 4, 5: 4, 11: 8}  # bytes of a number, by its type
TEXTS = {1, 2, 7}  # types to whose data offreg adds a NUL if it does not end in one


def created_plan(seed: int) -> Hive:
    """Return a random plan: up to 60 keys with names that offreg keeps, values of any type, and big data."""
    chance = random.Random(seed)  # noqa: S311
    alphabet = chance.choice((ASCII, BEYOND))
    paths: dict[tuple[str, ...], tuple[str, ...]] = {(): ()}
    for _ in range(chance.randrange(chance.choice((2, 10, 61)))):
        parent = chance.choice(list(paths))
        name = "".join(chance.choices(alphabet, k=chance.choice((1, 3, 8, 255))))
        paths.setdefault((*parent, fold_name(name)), (*paths[parent], name))
    return tuple(Key(path, _created_values(chance)) for path in paths.values())


def _created_values(chance: random.Random) -> tuple[Value, ...]:
    values: dict[str, Value] = {}
    for _ in range(chance.randrange(4)):
        name = "".join(chance.choices(ASCII + BEYOND, k=chance.choice((0, 1, 8, 100))))
        kind = chance.choice((0, 1, 2, 3, 4, 5, 7, 11, 0xFFFF0001))
        (size,) = chance.choices((chance.randrange(9), chance.randrange(5000), 16344, 16345, 40000), (60, 30, 3, 3, 3))
        data = chance.randbytes(SIZES.get(kind, size))
        if kind in TEXTS:
            data = data[: len(data) & ~1] + bytes(4)
        values.setdefault(fold_name(name), Value(name, kind, data))
    return tuple(values.values())
