# SPDX-License-Identifier: Apache-2.0
"""The reader of hives: what it accepts, what it finds wrong and by which rule."""

import struct
import sys

import pytest
from helpers import hive_maker as made
from helpers.hive_maker import BASE, SAMPLE, Node, make, sample
from helpers.mutations import MUTATIONS, Mutation
from hypothesis import given
from hypothesis import strategies as st

from generator.base.errors import GeneratorError, one_line
from generator.builder.wire import ROOT
from generator.hives import structures
from generator.hives.cells import MAX_ALIKE, MAX_FINDINGS
from generator.hives.model import (
    EMPTY_HIVE,
    REG_BINARY,
    REG_DWORD,
    REG_DWORD_BIG_ENDIAN,
    REG_QWORD,
    REG_SZ,
    Value,
)
from generator.hives.reader import check_hive, read, read_hive
from generator.hives.rules import RULES, HiveError, Level


def rules(data: bytes) -> list[str]:
    """Return the rules that a hive breaks, in the order found."""
    return [finding.rule for finding in check_hive(data)]


# Good hives


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


def test_512_levels_are_read_without_recursion() -> None:
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


def test_fields_that_only_windows_uses_may_have_any_content() -> None:
    hive = sample()
    hive.poke("", 12, "<Q", 0x1DC6555734_1D15E)  # times: of the file, of the bin, of a key
    hive.poke("", 4096 + 20, "<Q", 0x1DC6555734_1D15E)
    hive.poke("key Alpha", 4, "<Q", 0x1DC6555734_1D15E)
    hive.data[48:112] = "\\temp_hives\\DEFAULT".encode("utf-16-le").ljust(64, b"\0")
    hive.data[112:184] = bytes(range(1, 73))  # transaction identifiers, time of reorganisation, the library's mark
    hive.data[512:520] = hive.data[4040:4048] = hive.data[4080:4088] = b"12345678"
    hive.data[144:148] = bytes(4)  # flags, which have a meaning
    hive.poke("key ", 12, "<II", 3, 0x6D82000)  # access bits, and whatever is in the root's parent field
    hive.poke("key ", 54, "<H", 0x01A0)  # virtualization, WOW64 and debug flags
    hive.poke("key Alpha", 2, "<H", 0x3A8)  # no delete, and the three flags of virtualization
    hive.poke("key ", 2, "<H", 0x20)  # what the offline library writes, and its descriptors without a DACL
    hive.poke("sk 0", 22, "<H", 0x8000)
    hive.poke("value Alpha\\Text", 18, "<H", 0xFFFF)
    hive.poke("value Alpha\\Empty", 4, "<II", 0, 0xFFFFFFFF)  # the other encoding of empty data
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
NUMBERS = {REG_DWORD, REG_DWORD_BIG_ENDIAN, REG_QWORD}  # types whose data has one size only
VALUES = st.lists(
    st.builds(
        Value,
        NAMES | st.just(""),
        st.integers(0, 0xFFFFFFFF).filter(lambda kind: kind not in NUMBERS),
        st.binary(max_size=40),
    ),
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


@given(TREES)
def test_random_hives_read_back_as_made_with_a_span_for_every_byte(tree: Node) -> None:
    root = Node("root", subkeys=(tree, Node("\uffee")))
    security = made.descriptor(), made.descriptor(made.SYSTEM)
    used = {node.security for _, node in made.walk(root)}
    data = bytes(make(root, descriptors=security, unused=2 - len(used)).data)
    if used == {0, 1}:
        assert read_hive(data) == made.records(root)
        spans = read(data, spans=True).spans
        assert spans is not None
        assert sum(span.length for span in spans) == len(data)
        assert not {span.structure for span in spans} & {structures.UNREAD, structures.USED, structures.REST}
    else:
        assert rules(data) == ["sk-orphan"]


# Damaged hives


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}: {mutation.what}")
def test_each_mutation_breaks_its_rule_and_no_other(mutation: Mutation) -> None:
    data = mutation.hive()
    findings = check_hive(data)
    assert {finding.rule for finding in findings} == {mutation.rule}
    with pytest.raises(HiveError) as caught:
        read_hive(data)
    assert (caught.value.offset, caught.value.rule) == (findings[0].offset, mutation.rule)
    assert str(caught.value) == findings[0].message


def test_every_rule_has_a_mutation() -> None:
    assert {mutation.rule for mutation in MUTATIONS} == set(RULES)
    assert f"({len(RULES)} rules) | {len(MUTATIONS)} |" in (ROOT / "docs/reliability.md").read_text("utf-8")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}: {mutation.what}")
def test_a_finding_is_one_line_with_offset_found_and_allowed(mutation: Mutation) -> None:
    for finding in check_hive(mutation.hive()):
        assert finding.message.startswith(f"offset 0x{finding.offset:x}: found: {finding.found}; allowed: ")
        assert finding.found != (finding.allowed or RULES[finding.rule].text)
        assert finding.message.endswith(f" ({finding.rule}; {RULES[finding.rule].source})")
        assert finding.message == one_line(finding.message)
        assert finding.message.isascii()
        assert len(finding.message) < 500
    assert issubclass(HiveError, GeneratorError)


def test_independent_faults_are_all_found() -> None:
    hive = sample()
    hive.poke("", 20, "<II", 2, 7)
    hive.poke("key fast", 32, "<I", 0)
    hive.poke("value Alpha\\Text", 16, "<H", 3)
    hive.poke("sk 1", 12, "<I", 9)
    hive.poke("free", -4, "<i", -hive.peek("free", -4, "<i"))
    hive.data.extend(bytes(512))
    expected = ["base-minor", "base-major", "file-rest", "value-flags", "key-volatile-list", "sk-count", "cell-leak"]
    assert rules(hive.seal()) == expected


def test_nothing_is_reported_behind_a_fault() -> None:
    hive = sample()
    hive.poke("key ", 28, "<I", 0x7FFFFFF8)
    assert rules(hive.seal()) == ["pointer-cell"]


def test_a_damaged_or_truncated_hive_is_read_up_to_the_damage() -> None:
    whole = sample()
    cut = bytes(whole.data[:-4096])
    whole.poke("", BASE + whole.peek("", BASE + 8, "<I") + 8, "<I", 0)  # the second bin has no size
    for data, rule in ((cut, "file-length"), (whole.seal(), "bin-size")):
        reading = read(data, keys=True)
        assert [finding.rule for finding in reading.findings] == [rule]
        assert reading.key_count == len(reading.hive) > 0
        assert set(reading.hive) < set(made.records(SAMPLE))


def test_a_bin_of_zeros_and_wrong_base_block_fields_are_all_found() -> None:
    hive = sample()
    second = BASE + hive.peek("", BASE + 8, "<I")
    hive.data[second : second + 4096] = bytes(4096)
    hive.data[144:147] = b"\xff" * 3
    hive.poke("", 40, "<I", 4097)
    expected = ["base-flags", "base-length", "bin-signature", "bin-offset", "bin-size"]
    assert rules(hive.seal()) == expected


def test_refusing_findings_are_limited_in_number() -> None:
    hive = make(Node("root", subkeys=[Node(f"{i:04}") for i in range(2 * MAX_FINDINGS)]))
    for i in range(2 * MAX_FINDINGS):
        hive.poke(f"key {i:04}", 16, "<I", 0)
    assert rules(hive.seal()) == ["key-parent"] * MAX_FINDINGS


def test_unusual_findings_are_listed_ten_times_then_counted() -> None:
    hive = make(Node("root", subkeys=[Node(f"{i:04}") for i in range(500)]))
    for i in range(500):
        hive.poke(f"key {i:04}", 24, "<I", 1)
    hive.poke("key 0499", 16, "<I", 0)
    reading = read(hive.seal())
    assert [finding.rule for finding in reading.findings] == ["key-volatile-count"] * MAX_ALIKE + ["key-parent"]
    assert reading.more == {"key-volatile-count": 500 - MAX_ALIKE}
    assert reading.level == Level.REFUSED


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}: {mutation.what}")
def test_hives_that_windows_reads_are_read_completely(mutation: Mutation) -> None:
    reading = read(mutation.hive(), keys=True)
    assert reading.level == RULES[mutation.rule].level
    if reading.level != Level.REFUSED:
        assert reading.key_count == len(reading.hive) > 0
        assert reading.value_count == sum(len(key.values) for key in reading.hive)


def test_refusing_rules_have_a_source_outside_this_project() -> None:
    refused = [rule for rule in RULES.values() if rule.level == Level.REFUSED]
    assert refused
    assert not [rule for rule in refused if "winscratch" in rule.source]


def test_half_a_surrogate_pair_is_kept() -> None:
    hive = made.lone(Node("Ω"), leaf="li")
    hive.poke("key Ω", 76, "<H", 0xD801)
    reading = read(hive.seal(), keys=True)
    assert [key.path for key in reading.hive] == [(), ("\ud801",)]


def test_paths_that_would_fill_the_memory_are_refused() -> None:
    data = bytes(made.crowd().data)
    assert check_hive(data) == []
    with pytest.raises(GeneratorError, match="too deep and wide"):
        read_hive(data)


# Bytes of each record that the reader does not check: times, flags and identifiers private to Windows, the rest of the
# cell after the record, largest lengths above the actual ones, and access rights.
UNCHECKED = {
    "": (
        *(range(12, 20), range(48, 144), range(148, 184), range(512, 520), range(4040, 4088)),
        range(4096 + 20, 4096 + 32),
    ),
    "class": (range(16),),
    "key": (range(2, 13), range(52, 72), range(74, 75)),
    "key ": (range(2, 13), range(16, 20), range(52, 73), range(76, 80)),  # the root's parent and name mean nothing
    "value": (range(18, 20),),
    "sk": (range(2, 4), range(21, 24), range(24, 25), range(32, 36), range(41, 116)),
}


def test_every_flipped_bit_is_found_changes_content_or_is_known_as_unchecked() -> None:
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
        kind = label if label in UNCHECKED else label.split()[0]
        size = -hive.peek("", start - 4, "<i") - 4 if start else 4096
        padding = at - start >= size - 7 and not any(hive.data[at : start + size])
        assert padding or any(at - start in part for part in UNCHECKED.get(kind, ())), f"{label}: {at - start}"
