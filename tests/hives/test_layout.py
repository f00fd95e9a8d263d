# SPDX-License-Identifier: Apache-2.0
"""Hives that are laid out here have every byte of those that hivex writes."""

from itertools import permutations

import pytest
from helpers.counts import count
from helpers.random_hives import assert_laid_out_alike, assert_seeds_laid_out_alike, committed_hives
from helpers.support import selected

from generator.builder import choose
from generator.hivebuilder import emptyhive
from generator.hives.layout import lay_out
from generator.hives.model import MAX_DATA, MAX_SUBKEYS, REG_BINARY, REG_DWORD, Hive, Key, Value
from generator.hives.reader import check_hive

PLANS = count(300, 5_000)


@pytest.fixture(params=["native", "docker"])
def engine(request: pytest.FixtureRequest) -> choose.Engine:
    """Return one of the engines, whose hivex need not be of the same version."""
    return selected(request.param)


def test_an_empty_hive_is_the_one_that_hivex_starts_from_but_for_the_commit() -> None:
    start, ours = bytearray(emptyhive.empty_hive()), lay_out((Key(()),))
    assert check_hive(bytes(start)) == check_hive(ours) == []
    start[4:12], start[508:512] = ours[4:12], ours[508:512]  # the sequence numbers and the checksum
    assert start == ours


@pytest.mark.parametrize("name", committed_hives())
def test_a_hive_of_a_committed_layer_is_laid_out_as_committed(name: str) -> None:
    committed, plan = committed_hives()[name]
    assert lay_out(plan) == committed


def test_random_plans_are_laid_out_as_hivex_does(engine: choose.Engine) -> None:
    assert_seeds_laid_out_alike(engine, range(PLANS))


def subkeys(*names: str) -> Hive:
    return (Key(()), *(Key((name,)) for name in names))


def values(*found: Value) -> Hive:
    return (Key((), found),)


def data(size: int) -> Value:
    return Value(f"of {size}", REG_BINARY, bytes(n % 251 for n in range(size)))


EDGES: dict[str, Hive] = {
    # The value list and record before it leave less and less of the bin, until the data needs one of its own.
    **{f"data of {size} bytes": values(data(size)) for size in range(3900, 4100)},
    # … and bins of two, three and four pages, at the sizes where one page more is needed.
    **{
        f"data of {size} bytes in a bin of its own": values(data(4000), data(size), data(8))
        for pages in (1, 2, 3)
        for size in range(4096 * pages - 44, 4096 * pages + 4)
    },
    "the largest data, and larger": values(data(MAX_DATA), data(MAX_DATA + 1), data(65_536)),
    "data that is the pointer's and that is not": values(*(data(size) for size in range(7))),
    "as many subkeys as allowed": subkeys(*(f"k{n}" for n in range(MAX_SUBKEYS))),
    "two thousand subkeys": subkeys(*(f"k{n * 7919 % 2000}" for n in range(2000))),
    "ten thousand values": values(*(Value(f"v{n}", REG_DWORD, bytes(4)) for n in range(10_000))),
    "512 levels": tuple(Key(("k",) * level) for level in range(512)),
    "the largest names": (
        Key((), tuple(Value(char * length, REG_DWORD, b"") for char, length in (("n", 16_383), ("日", 16_383)))),
        Key(("k" * 255,)),
        Key(("k" * 255, "k" * 254)),
    ),
    **{f"keys in the order {' '.join(names)}": subkeys(*names) for names in permutations(("b", "A", "_", "aa", "~"))},
}


# 41 MB: an engine's answer may have 64 MiB, in base64.
LARGEST: Hive = (
    *subkeys(*(f"p{n}" for n in range(30))),
    *(Key((f"p{parent}", f"k{n}")) for parent in range(30) for n in range(MAX_SUBKEYS)),
)


def test_plans_at_every_edge_are_laid_out_as_hivex_does(engine: choose.Engine) -> None:
    assert_laid_out_alike(engine, EDGES)
    assert_laid_out_alike(engine, {"of the largest hive": LARGEST})
