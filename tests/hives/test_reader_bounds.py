# SPDX-License-Identifier: Apache-2.0
"""The reader of hives never crashes, for any bytes, damage or size, and needs little time and memory."""

import random
import resource
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from helpers.counts import count, slow
from helpers.damage import live_parts, mutate
from helpers.hive_maker import DESCRIPTORS, SAMPLE, STORE, Made, Node, crowd, make, sample, seal
from helpers.support import HANG, need_package
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.base.errors import GeneratorError
from generator.hives.model import REG_DWORD, REG_NONE, Hive, Value
from generator.hives.reader import check_hive, read, read_hive
from generator.hives.rules import HiveError

PROJECT = Path(__file__).parents[2]


def is_good(data: bytes) -> bool:
    """Read *data* both ways, which must agree and tell every byte; return whether it is good."""
    reading = read(data, spans=True)
    first: tuple[int, str] | None = None
    hive: Hive = ()
    try:
        hive = read_hive(data)
    except HiveError as error:
        first = error.offset, error.rule
    assert first == next(((finding.offset, finding.rule) for finding in reading.findings), None)
    assert reading.spans is not None
    assert sum(span.length for span in reading.spans) == len(data)
    seen = set()
    for key in hive:
        assert not key.path or key.path[:-1] in seen
        seen.add(key.path)
    return first is None


@given(st.binary(max_size=9000))
def test_random_bytes_cause_no_crash(data: bytes) -> None:
    is_good(data)
    is_good(b"regf" + data)


@settings(max_examples=count(30, 300))
@given(
    st.lists(st.tuples(st.integers(0, 0x1FFF) | st.integers(0x1000, 0x1800), st.binary(min_size=1, max_size=8))),
    st.booleans(),
)
def test_changes_to_a_good_hive_cause_no_crash(changes: list[tuple[int, bytes]], sealed: bool) -> None:
    data = bytearray(make(STORE).data)
    for at, new in changes:
        data[at : at + len(new)] = new
    is_good(seal(data) if sealed else bytes(data))


BULK = count(3_000, 100_000)
WORKERS = 2
FLOOR = 4 << 20  # bytes of memory that any hive may cost


def bulk(seed: int, count: int) -> tuple[int, int]:
    """Read *count* damaged hives; return how many were good all the same, and by how many bytes the process grew."""
    chance = random.Random(seed)  # noqa: S311
    alpha = Node("Alpha", values=SAMPLE.subkeys[0].values[1:], security=1)  # all but the big data
    small = Node("small", subkeys=(alpha, *SAMPLE.subkeys[1:]))
    bases = [
        bytes(hive.data) for hive in (make(Node("r")), make(STORE), make(STORE), make(small, descriptors=DESCRIPTORS))
    ]
    parts = [live_parts(base) for base in bases]
    is_good(bytes(sample().data))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    good = 0
    for _ in range(count):
        which = chance.randrange(len(bases))
        good += is_good(mutate(chance, bases[which], parts[which]))
    return good, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def test_damaged_hives_are_refused_or_read_in_time() -> None:
    with ProcessPoolExecutor(WORKERS) as pool:
        results = list(pool.map(bulk, range(WORKERS), [BULK // WORKERS] * WORKERS))
    assert all(grown < 16 << 20 for _, grown in results)
    # Neither all refused, which would say that the damage is crude, nor all good.
    assert BULK // 100 < sum(good for good, _ in results) < BULK // 2


def peak(function: Callable[[bytes], object], data: bytes) -> int:
    """Return how many bytes of memory *function* needs for *data* at the most, its result included."""
    tracemalloc.start()
    try:
        function(data)
    except GeneratorError:
        pass
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most


def with_spans(data: bytes) -> object:
    """Read *data* and keep the spans of it."""
    return read(data, spans=True)


def test_damaged_hives_cost_little_memory() -> None:
    chance = random.Random(1)  # noqa: S311
    data = bytes(sample().data)
    parts = live_parts(data)
    for _ in range(count(30, 300)):
        damaged = mutate(chance, data, parts)
        for function in (read_hive, check_hive, with_spans):
            assert peak(function, damaged) < max(FLOOR, 10 * len(damaged))


RUNS = count(2_000, 20_000)  # of the fuzzer
PAIRS: list[tuple[str, str]] = [
    (chr(a), chr(b)) for a in range(0x4E00, 0x4E00 + 100) for b in range(0x4E00, 0x4E00 + count(80, 300))
]
LARGE: dict[str, Callable[[], Made]] = {
    "keys of two letters": lambda: make(Node("r", subkeys=[Node(f"{a}{b}") for a, b in PAIRS], leaf="li")),
    "values of two letters": lambda: make(Node("r", values=[Value(f"{a}{b}", REG_NONE, b"") for a, b in PAIRS])),
    "values of four bytes": lambda: make(Node("r", values=[Value(f"{a}{b}", REG_DWORD, b"abcd") for a, b in PAIRS])),
    "keys on 500 levels": crowd,
    "cells that leak": lambda: with_cells(-8),
    "cells that are free": lambda: with_cells(8),
}


def with_cells(size: int) -> Made:
    """Make a hive of one bin that is full of cells of *size* bytes, which is negative for cells in use."""
    hive = make(Node("r"), bin_size=count(1 << 20, 4 << 20))
    at = hive.at["free"] - 4
    hive.data[at:] = (struct.pack("<i", size) + bytes(abs(size) - 4)) * ((len(hive.data) - at) // abs(size))
    hive.seal()
    return hive


@pytest.mark.parametrize(
    "name", [name if name == "keys of two letters" else slow(name, "reads large hives") for name in LARGE]
)
def test_large_hives_cost_no_more_than_ten_times_their_size(name: str) -> None:
    data = bytes(LARGE[name]().data)
    assert len(data) > 250_000
    for function in (read_hive, check_hive, with_spans):
        assert peak(function, data) < FLOOR + 10 * len(data)


def test_atheris_finds_no_crash(tmp_path: Path) -> None:
    need_package("atheris")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for i, hive in enumerate((make(STORE), make(SAMPLE, descriptors=DESCRIPTORS, bin_size=4096), make(Node("r")))):
        (corpus / str(i)).write_bytes(hive.data)
    options = f"-runs={RUNS} -seed=1 -max_len=32768 -timeout={HANG} -rss_limit_mb=512 -print_final_stats=1".split()
    # By a shell of its own: a process counts as memory of its own what the one had that started it.
    shell = ["sh", "-c", '"$@"; exit $?', "sh"]
    command = [*shell, sys.executable, str(PROJECT / "tests/hives/fuzz_reader.py"), *options, "corpus"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"stat::number_of_executed_units: {RUNS}" in done.stderr
