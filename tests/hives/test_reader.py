# SPDX-License-Identifier: Apache-2.0
"""The strict reader of hives: what it accepts, what it refuses and by which rule, and that nothing can upset it."""

import base64
import importlib.util
import json
import random
import resource
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import mutations as made
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import MUTATIONS, SAMPLE, Made, Mutation, Node, make, sample
from support import lack

from generator.builder.native import DEBIAN_PYTHON
from generator.errors import EXIT_ERROR, EXIT_OK, EXIT_STALE, GeneratorError, one_line
from generator.hives.cells import MAX_FINDINGS
from generator.hives.check import report
from generator.hives.model import (
    EMPTY_HIVE,
    REG_BINARY,
    REG_DWORD,
    REG_MULTI_SZ,
    REG_NONE,
    REG_QWORD,
    REG_SZ,
    Hive,
    Key,
    Value,
)
from generator.hives.reader import HiveError, check_hive, read_hive
from generator.hives.rules import RULES

PROJECT = Path(__file__).parents[2]

# A BCD store in small; what the bulk of the damage is done to, beside the sample.
STORE = Node(
    "store",
    subkeys=(
        Node("Description", values=(Value("KeyName", REG_SZ, made.text("BCD00000000")),)),
        Node("Objects", subkeys=(Node("{1}", subkeys=(Node("Elements", leaf="lf"),), leaf="li"), Node("{2}"))),
    ),
    values=(Value("", REG_DWORD, b"\1\0\0\0"),),
)


def rules(data: bytes) -> list[str]:
    """Return the rules that a hive breaks, in the order found."""
    return [finding.rule for finding in check_hive(data)]


# What is good.


def test_every_kind_of_record_reads_back_as_it_was_made() -> None:
    data = bytes(sample().data)
    assert check_hive(data) == []
    assert read_hive(data) == made.records(SAMPLE)


def test_an_empty_hive_has_its_root_and_nothing_else() -> None:
    data = bytes(make(Node("root")).data)
    assert len(data) == 8192
    assert read_hive(data) == EMPTY_HIVE


@pytest.mark.parametrize("minor", [3, 4, 5, 6])
def test_lists_without_hashes_are_good_in_every_version(minor: int) -> None:
    root = Node("r", subkeys=(Node("a", subkeys=(Node("b"), Node("c"))), Node("d", leaf="lf")), leaf="li")
    root.subkeys[0].leaf = "lf"
    assert read_hive(bytes(make(root, minor=minor).data)) == made.records(root)


@pytest.mark.parametrize("minor", [3, 4])
@pytest.mark.parametrize("size", [4, 5, 16344, 16345, 3 * 16344, 3 * 16344 + 1])
def test_data_is_whole_in_one_cell_and_in_segments(minor: int, size: int) -> None:
    root = Node("r", values=(Value("data", REG_BINARY, (bytes(range(251)) * 200)[:size]),))
    assert read_hive(bytes(make(root, minor=minor).data)) == made.records(root)


@pytest.mark.parametrize("bin_size", [4096, 65536])
def test_bins_may_be_many_or_large(bin_size: int) -> None:
    assert read_hive(bytes(make(SAMPLE, descriptors=made.DESCRIPTORS, bin_size=bin_size).data)) == made.records(SAMPLE)


def test_512_levels_are_read_without_python_s_stack() -> None:
    root = made.chain(512)
    data = bytes(make(root).data)
    limit = sys.getrecursionlimit()
    depth = 0
    frame = sys._getframe()
    while frame.f_back:
        depth, frame = depth + 1, frame.f_back
    sys.setrecursionlimit(depth + 40)
    try:
        hive = read_hive(data)
    finally:
        sys.setrecursionlimit(limit)
    assert hive[-1].path == ("k",) * 511


def test_what_windows_leaves_in_fields_of_its_own_is_no_fault() -> None:
    hive = sample()
    hive.poke("", 12, "<Q", 0x1DC6555734_1D15E)  # times: of the file, of the bin, of a key
    hive.poke("", 4096 + 20, "<Q", 0x1DC6555734_1D15E)
    hive.poke("key Alpha", 4, "<Q", 0x1DC6555734_1D15E)
    hive.data[48:112] = "\\temp_hives\\DEFAULT".encode("utf-16-le").ljust(64, b"\0")
    hive.data[112:184] = bytes(range(1, 73))  # transaction identifiers, time of reorganisation, the library's mark
    hive.data[512:520] = hive.data[4040:4048] = b"12345678"
    hive.poke("", 4092, "<I", 4)  # how it was booted
    hive.poke("key ", 12, "<II", 2, 0x6D82000)  # access bits, and whatever is in the root's parent field
    hive.poke("key ", 54, "<H", 0x01A0)  # virtualization, WOW64 and debug flags
    hive.poke("key Alpha", 2, "<H", 0x3A8)  # no delete, and the three flags of virtualization
    hive.poke("value Alpha\\Text", 18, "<H", 0xFFFF)
    hive.poke("value Alpha\\Empty", 4, "<II", 0, 0xFFFFFFFF)  # the other way to say that there is no data
    assert read_hive(hive.seal()) == made.records(SAMPLE)


@pytest.mark.parametrize(("sum_of_words", "checksum"), [(0, 1), (0xFFFFFFFF, 0xFFFFFFFE), (1, 1)])
def test_a_checksum_is_never_0_nor_minus_1(sum_of_words: int, checksum: int) -> None:
    hive = sample()
    total = 0
    for (word,) in struct.iter_unpack("<I", hive.data[:508]):
        total ^= word
    hive.poke("", 48, "<I", hive.peek("", 48, "<I") ^ total ^ sum_of_words)
    hive.poke("", 508, "<I", checksum)
    assert check_hive(bytes(hive.data)) == []


NAMES = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\") | st.sampled_from("éÉÿµßΩω€"),
    min_size=1,
    max_size=12,
)
VALUES = st.lists(
    st.builds(Value, NAMES | st.just(""), st.integers(0, 0xFFFFFFFF), st.binary(max_size=40)),
    max_size=4,
    unique_by=lambda value: made.capitals(value.name),
)


def sorted_nodes(nodes: list[Node]) -> list[Node]:
    """Return nodes as Windows sorts them, one of each name."""
    unique = {made.capitals(node.name): node for node in nodes}
    return [unique[name] for name in sorted(unique)]


TREES = st.recursive(
    st.builds(Node, NAMES, VALUES, security=st.just(1)),
    lambda nodes: st.builds(
        Node,
        NAMES,
        VALUES,
        st.lists(nodes, max_size=4).map(sorted_nodes),
        leaf=st.sampled_from(("lh", "lf", "li", "ri")),
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(TREES)
def test_any_tree_reads_back_as_it_was_made(tree: Node) -> None:
    root = Node("root", subkeys=(tree, Node("\uffee")))
    security = made.descriptor(), made.descriptor(made.SYSTEM)
    used = {node.security for _, node in made.walk(root)}
    data = bytes(make(root, descriptors=security, unused=2 - len(used)).data)
    if used == {0, 1}:
        assert read_hive(data) == made.records(root)
    else:
        assert rules(data) == ["sk-orphan"]


# What is not.


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}: {mutation.what}")
def test_damage_is_caught_by_its_rule_and_by_no_other(mutation: Mutation) -> None:
    data = mutation.hive()
    findings = check_hive(data)
    assert {finding.rule for finding in findings} == {mutation.rule}
    with pytest.raises(HiveError) as caught:
        read_hive(data)
    assert (caught.value.offset, caught.value.rule) == (findings[0].offset, mutation.rule)
    assert str(caught.value) == findings[0].message


def test_every_rule_has_damage_that_only_it_catches() -> None:
    assert {mutation.rule for mutation in MUTATIONS} == set(RULES)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}: {mutation.what}")
def test_a_finding_is_one_line_with_place_and_rule_and_source(mutation: Mutation) -> None:
    for finding in check_hive(mutation.hive()):
        assert finding.message.startswith(f"offset 0x{finding.offset:x}: ")
        assert finding.message.endswith(f" ({finding.rule}; {RULES[finding.rule].source})")
        assert finding.message == one_line(finding.message)
        assert finding.message.isascii()
        assert len(finding.message) < 500
    assert issubclass(HiveError, GeneratorError)


def test_faults_that_do_not_hide_each_other_are_all_found() -> None:
    hive = sample()
    hive.poke("", 20, "<II", 2, 7)
    hive.poke("key fast", 32, "<I", 0)
    hive.poke("value Alpha\\Text", 16, "<H", 3)
    hive.poke("sk 1", 12, "<I", 9)
    hive.poke("free", -4, "<i", -hive.peek("free", -4, "<i"))
    expected = ["base-minor", "base-major", "value-flags", "key-volatile-list", "sk-count", "cell-leak"]
    assert rules(hive.seal()) == expected


def test_what_lies_behind_a_fault_is_not_guessed_at() -> None:
    hive = sample()
    hive.poke("key ", 28, "<I", 0x7FFFFFF8)
    assert rules(hive.seal()) == ["pointer-cell"]


def test_findings_have_an_end() -> None:
    hive = make(Node("root", subkeys=[Node(f"{i:04}") for i in range(2 * MAX_FINDINGS)]))
    for i in range(2 * MAX_FINDINGS):
        hive.poke(f"key {i:04}", 24, "<I", 1)
    assert rules(hive.seal()) == ["key-volatile-count"] * MAX_FINDINGS


# What the reader does not judge, as bytes of a record: times, flags and identifiers of Windows' own, what is beyond a
# record in its cell, the largest lengths when they say more than there is, and who may do what.
UNJUDGED = {
    "": (range(12, 20), range(48, 184), range(512, 520), range(4040, 4096), range(4096 + 20, 4096 + 32)),
    "class": (range(16),),
    "key": (range(2, 16), range(52, 72), range(74, 75)),
    "key ": (range(2, 20), range(52, 73), range(76, 80)),  # the root's parent and name mean nothing
    "value": (range(18, 20),),
    "sk": (range(2, 4), range(21, 24), range(24, 25), range(32, 36), range(41, 116)),
}


def test_every_bit_of_a_hive_is_judged_or_is_content_or_is_known_to_be_free() -> None:
    root = Node(
        "root",
        values=(Value("a", REG_SZ, b"xyz!"), Value("four", REG_BINARY, bytes(20))),
        subkeys=(Node("Key", class_name="class!"), Node("Ωm", leaf="li", subkeys=(Node("Kex!"),))),
    )
    hive = make(root)
    good = read_hive(bytes(hive.data))
    places = sorted((at, label) for label, at in hive.at.items())
    silent = set()
    for at in (*range(508), *range(512, hive.at["free"])):
        for bit in range(8):
            data = bytearray(hive.data)
            data[at] ^= 1 << bit
            try:
                if read_hive(made.seal(data)) == good:
                    silent.add(at)
            except HiveError:
                pass
    for at in silent:
        start, label = max(((start, label) for start, label in places if start <= at), default=(0, ""))
        kind = label if label in UNJUDGED else label.split()[0]
        size = -hive.peek("", start - 4, "<i") - 4 if start else 4096
        padding = at - start >= size - 7 and not any(hive.data[at : start + size])
        assert padding or any(at - start in part for part in UNJUDGED.get(kind, ())), f"{label}: {at - start}"


# Nothing upsets it.


def judged(data: bytes) -> bool:
    """Read *data* both ways, which must agree and end within a second; return whether it is good."""
    start = time.process_time()
    findings = check_hive(data)
    first: tuple[int, str] | None = None
    hive: Hive = ()
    try:
        hive = read_hive(data)
    except HiveError as error:
        first = error.offset, error.rule
    assert time.process_time() - start < 1
    assert first == next(((finding.offset, finding.rule) for finding in findings), None)
    seen = set()
    for key in hive:
        assert not key.path or key.path[:-1] in seen
        seen.add(key.path)
    return first is None


@settings(deadline=None)
@given(st.binary(max_size=9000))
def test_no_bytes_upset_it(data: bytes) -> None:
    judged(data)
    judged(b"regf" + data)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 0x1FFF) | st.integers(0x1000, 0x1800), st.binary(min_size=1, max_size=8))),
    st.booleans(),
)
def test_no_change_to_a_good_hive_upsets_it(changes: list[tuple[int, bytes]], sealed: bool) -> None:
    data = bytearray(make(STORE).data)
    for at, new in changes:
        data[at : at + len(new)] = new
    judged(made.seal(data) if sealed else bytes(data))


BULK = 100_000
WORKERS = 2
FLOOR = 4 << 20  # bytes of memory that any hive may cost


def bulk(seed: int, count: int) -> tuple[int, int]:
    """Judge *count* damaged hives; return how many were good all the same, and by how many bytes the process grew."""
    chance = random.Random(seed)  # noqa: S311
    alpha = Node("Alpha", values=SAMPLE.subkeys[0].values[1:], security=1)  # all but the big data
    small = Node("small", subkeys=(alpha, *SAMPLE.subkeys[1:]))
    bases = [
        bytes(hive.data)
        for hive in (make(Node("r")), make(STORE), make(STORE), make(small, descriptors=made.DESCRIPTORS))
    ]
    parts = [made.live_parts(base) for base in bases]
    judged(bytes(sample().data))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    good = 0
    for _ in range(count):
        which = chance.randrange(len(bases))
        good += judged(made.mutate(chance, bases[which], parts[which]))
    return good, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def test_100_000_damaged_hives_are_refused_or_read_in_time() -> None:
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
    except HiveError:
        pass
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most


def test_damaged_hives_cost_little_memory() -> None:
    chance = random.Random(1)  # noqa: S311
    data = bytes(sample().data)
    parts = made.live_parts(data)
    for _ in range(300):
        damaged = made.mutate(chance, data, parts)
        for function in (read_hive, check_hive):
            assert peak(function, damaged) < max(FLOOR, 10 * len(damaged))


PAIRS: list[tuple[str, str]] = [
    (chr(a), chr(b)) for a in range(0x4E00, 0x4E00 + 100) for b in range(0x4E00, 0x4E00 + 300)
]
LARGE: dict[str, Callable[[], Made]] = {
    "keys of two letters": lambda: make(Node("r", subkeys=[Node(f"{a}{b}") for a, b in PAIRS], leaf="li")),
    "values of two letters": lambda: make(Node("r", values=[Value(f"{a}{b}", REG_NONE, b"") for a, b in PAIRS])),
    "values of four bytes": lambda: make(Node("r", values=[Value(f"{a}{b}", REG_DWORD, b"abcd") for a, b in PAIRS])),
    "keys on 500 levels": made.crowd,
    "cells that leak": lambda: with_cells(-8),
    "cells that are free": lambda: with_cells(8),
}


def with_cells(size: int) -> Made:
    """Make a hive of one bin that is full of cells of *size* bytes, which is negative for cells in use."""
    hive = make(Node("r"), bin_size=4 << 20)
    at = hive.at["free"] - 4
    hive.data[at:] = (struct.pack("<i", size) + bytes(abs(size) - 4)) * ((len(hive.data) - at) // abs(size))
    hive.seal()
    return hive


@pytest.mark.parametrize("name", LARGE)
def test_large_hives_cost_no_more_than_ten_times_their_size(name: str) -> None:
    data = bytes(LARGE[name]().data)
    assert len(data) > 250_000
    for function in (read_hive, check_hive):
        assert peak(function, data) < FLOOR + 10 * len(data)


def test_atheris_finds_no_input_that_upsets_it(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        lack("atheris is not installed")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for i, hive in enumerate((make(STORE), make(SAMPLE, descriptors=made.DESCRIPTORS, bin_size=4096), make(Node("r")))):
        (corpus / str(i)).write_bytes(hive.data)
    options = ["-runs=20000", "-seed=1", "-max_len=32768", "-timeout=5", "-rss_limit_mb=512", "-print_final_stats=1"]
    command = [sys.executable, str(PROJECT / "tests/hives/fuzz_reader.py"), *options, "corpus"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "stat::number_of_executed_units: 20000" in done.stderr


# Hives that hivex makes.

HIVEX = """
import base64, json, os, sys
import hivex
def change(base, steps):
    with open(os.memfd_create("hive"), "r+b") as file:
        file.write(base64.b64decode(base))
        file.flush()
        hive = hivex.Hivex(f"/proc/self/fd/{file.fileno()}", write=True)
        nodes = {(): hive.root()}
        for step, path, *values in steps:
            path = tuple(path)
            if step == "add":
                nodes[path] = hive.node_add_child(nodes[path[:-1]], path[-1])
            elif step == "delete":
                hive.node_delete_child(nodes.pop(path))
            else:
                hive.node_set_values(nodes[path], [
                    {"key": name, "t": kind, "value": base64.b64decode(data)} for name, kind, data in values])
        hive.commit(None)
        file.seek(0)
        return base64.b64encode(file.read()).decode()
request = json.load(sys.stdin)
json.dump([change(request["base"], steps) for steps in request["hives"]], sys.stdout)
"""


@pytest.fixture(scope="module")
def python_with_hivex() -> str:
    """Return Debian's Python, if it has hivex."""
    try:
        command = [DEBIAN_PYTHON, "-s", "-E", "-c", "import hivex; hivex.Hivex"]
        done = subprocess.run(command, check=False, capture_output=True)
    except OSError:
        lack(f"there is no {DEBIAN_PYTHON}")
    if done.returncode:
        lack("there is no python3-hivex")
    return DEBIAN_PYTHON


Step = tuple[object, ...]


def add(*path: str) -> Step:
    """Return the step that adds a key."""
    return "add", path


def values(path: tuple[str, ...], *values: Value) -> Step:
    """Return the step that sets the values of a key."""
    return "set", path, *((v.name, v.type, base64.b64encode(v.data).decode()) for v in values)


def by_hivex(python: str, *hives: list[Step]) -> list[bytes]:
    """Return the hives that hivex makes by taking steps from an empty one."""
    request = {"base": base64.b64encode(make(Node("root")).data).decode(), "hives": hives}
    command = [python, "-s", "-E", "-c", HIVEX]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True)
    return [base64.b64decode(data) for data in json.loads(done.stdout)]


def steps_to(hive: Hive) -> list[Step]:
    """Return the steps to make *hive* in its own order."""
    steps = []
    for key in hive:
        if key.path:
            steps.append(add(*key.path))
        if key.values:
            steps.append(values(key.path, *key.values))
    return steps


def random_hive(seed: int) -> Hive:
    """Return a random hive within what hivex does right: names of ASCII, data of 16,344 bytes at most."""
    chance = random.Random(seed)  # noqa: S311
    letters = "abcXYZ019 _-.{}[]^`~!@/"
    keys: dict[tuple[str, ...], Key] = {(): EMPTY_HIVE[0]}
    for _ in range(chance.randrange(40)):
        parent = chance.choice(list(keys))
        name = "".join(chance.choices(letters, k=chance.choice((1, 3, 8, 255))))
        if not any(path[:-1] == parent and path[-1].upper() == name.upper() for path in keys if path):
            keys[*parent, name] = Key((*parent, name))
    hive = []
    for path in keys:
        names = {f"{chance.choice(('', 'é', 'Ω', 'Name '))}{i}".lower() for i in range(chance.randrange(4))}
        if chance.random() < 0.2:
            names.add("")
        kinds = (REG_NONE, REG_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_QWORD, 0xFFFF)
        sizes = (0, 1, 2, 3, 4, 5, 8, 100, 4060, 4064, 16343, 16344)
        hive.append(
            Key(
                path,
                tuple(Value(n, chance.choice(kinds), chance.randbytes(chance.choice(sizes))) for n in sorted(names)),
            )
        )
    return tuple(hive)


def as_sets(hive: Hive) -> dict[tuple[str, ...], tuple[Value, ...]]:
    """Return the keys of a hive without their order."""
    found = {key.path: key.values for key in hive}
    assert len(found) == len(hive)
    return found


def test_random_hives_by_hivex_are_good_and_hold_what_was_asked_for(python_with_hivex: str) -> None:
    hives = [random_hive(seed) for seed in range(60)]
    for hive, data in zip(hives, by_hivex(python_with_hivex, *map(steps_to, hives)), strict=True):
        assert check_hive(data) == []
        assert as_sets(read_hive(data)) == as_sets(hive)


def test_keys_by_hivex_come_sorted_whatever_the_order_they_were_added_in(python_with_hivex: str) -> None:
    names = ["ab", "a_b", "Zz", "zZ1", "{1}", "[x", "^", "`", "A-", "b"]
    (data,) = by_hivex(python_with_hivex, [add(name) for name in names])
    assert [key.path[0] for key in read_hive(data) if key.path] == sorted(names, key=str.upper)


def test_hivex_leaves_no_cell_behind(python_with_hivex: str) -> None:
    long = Value("long", REG_BINARY, bytes(1000))
    rewritten, deleted = by_hivex(
        python_with_hivex,
        [add("a"), values(("a",), long, Value("b", REG_SZ, b"")), values(("a",), long), values((), long), values(())],
        [add("a"), add("a", "b"), values(("a", "b"), long), add("c"), ("delete", ("a",))],
    )
    assert read_hive(rewritten) == (Key(()), Key(("a",), (long,)))
    assert read_hive(deleted) == (Key(()), Key(("c",)))


# What hivex gets wrong, and what it lets pass: the builder must not ask it for these.
BEYOND_HIVEX: dict[str, tuple[list[Step], list[str]]] = {
    "data of 16,345 bytes, for which it makes no segments": (
        [values((), Value("", REG_BINARY, bytes(16345)))],
        ["big-signature"],
    ),
    "a key beyond ASCII, which it hashes by its bytes in UTF-8": ([add("é")], ["subkey-hash"]),
    "a key beyond Latin-1": ([add("Ω")], ["subkey-hash"]),
    "a key with a capital beyond ASCII, which it does not sort by": (
        [add("ÿ"), add("ā")],
        ["subkey-hash", "subkey-order", "subkey-hash"],
    ),
    "a key of 256 characters": ([add("x" * 256)], ["key-name-length"]),
    "a key with a backslash": ([add("a\\b")], ["key-name-backslash"]),
    "513 levels": ([add(*["k"] * level) for level in range(1, 513)], ["key-depth"]),
    "values that differ in case": (
        [values((), Value("a", REG_NONE, b""), Value("A", REG_NONE, b""))],
        ["value-duplicate"],
    ),
    "a value of 16,384 characters": ([values((), Value("x" * 16384, REG_NONE, b""))], ["value-name-length"]),
    "the last subkey deleted, whose list it leaves": ([add("a"), ("delete", ("a",))], ["list-nil"]),
}


@pytest.mark.parametrize("what", BEYOND_HIVEX)
def test_hives_beyond_what_hivex_does_right_are_refused(python_with_hivex: str, what: str) -> None:
    steps, expected = BEYOND_HIVEX[what]
    (data,) = by_hivex(python_with_hivex, steps)
    assert rules(data) == expected


def test_the_builder_s_hives_are_good(python_with_hivex: str) -> None:
    hives = {"empty": EMPTY_HIVE, "store": made.records(STORE), "random": random_hive(7)}
    request = {
        "format": 1,
        "hives": {
            name: {
                "keys": [
                    {
                        "path": key.path,
                        "values": [
                            {"name": v.name, "type": v.type, "data": base64.b64encode(v.data).decode()}
                            for v in key.values
                        ],
                    }
                    for key in hive
                ]
            }
            for name, hive in hives.items()
        },
    }
    command = [python_with_hivex, "-s", "-E", "-B", "-m", "hivebuilder"]
    done = subprocess.run(
        command, input=json.dumps(request), cwd=PROJECT / "generator", capture_output=True, text=True, check=True
    )
    for name, hive in json.loads(done.stdout)["hives"].items():
        data = base64.b64decode(hive["data"])
        assert check_hive(data) == []
        assert as_sets(read_hive(data)) == as_sets(hives[name])


# The report.


def test_a_good_hive_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hive"
    path.write_bytes(sample().data)
    assert report([path]) == EXIT_OK
    assert capsys.readouterr() == (f"{path}: good hive, 21 keys, 8 values, 32,768 bytes\n", "")


def test_findings_are_told_in_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good", tmp_path / "b\na\td"
    good.write_bytes(sample().data)
    hive = sample()
    hive.poke("", 20, "<II", 2, 7)
    bad.write_bytes(hive.seal())
    assert report([bad, good, str(good)]) == EXIT_STALE
    name = one_line(str(bad))
    assert capsys.readouterr().out.splitlines() == [
        f"{name}: offset 0x18: the minor version is 7, the minor version is 3, 4, 5 or 6"
        " (base-minor; regf: base block)",
        f"{name}: offset 0x14: the major version is 2, the major version is 1 (base-major; cmlib hiveinit.c)",
        f"{good}: good hive, 21 keys, 8 values, 32,768 bytes",
        f"{good}: good hive, 21 keys, 8 values, 32,768 bytes",
    ]


@pytest.mark.parametrize("name", ["missing", "", "nul\0byte"])
def test_a_file_that_cannot_be_read_is_told_and_the_others_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"regf")
    assert report([f"{tmp_path}/{name}", bad]) == EXIT_ERROR
    output = capsys.readouterr()
    assert output.out.startswith(f"{bad}: offset 0x0: the file has 4 bytes, ")
    assert output.err.count("\n") == 1
    assert ": cannot be read: " in output.err


def test_the_report_as_json_holds_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(sample().data)
    bad.write_bytes(b"regf")
    assert report([good, bad, tmp_path / "missing"], as_json=True) == EXIT_ERROR
    counts = {"keys": 21, "values": 8, "bytes": 32768}
    (finding,) = check_hive(b"regf")
    found = {"offset": 0, "rule": "file-size", "message": finding.message}
    assert json.loads(capsys.readouterr().out) == [
        {"path": str(good), "good": True, **counts, "findings": []},
        {"path": str(bad), "good": False, "keys": 0, "values": 0, "bytes": 4, "findings": [found]},
        {"path": str(tmp_path / "missing"), "good": False, "error": "No such file or directory"},
    ]
