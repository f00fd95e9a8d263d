# SPDX-License-Identifier: Apache-2.0
"""Every byte of a hive belongs to one structure and one field, and the fields decode to the values of the maker."""

import random
import struct
from collections import Counter

import pytest
from helpers import hive_maker as made
from helpers.counts import count
from helpers.damage import live_parts, mutate
from helpers.hive_maker import BASE, BIG, DESCRIPTORS, SAMPLE, SEGMENT, Node, make, sample
from helpers.random_hives import committed_hives

from generator.hives import structures
from generator.hives.reader import describe, read
from generator.hives.spans import Part, Span, Spans


def spans_of(data: bytes) -> Spans:
    """Return the spans of a hive."""
    spans = read(data, spans=True).spans
    assert spans is not None
    return spans


def parts_of(data: bytes, name: str) -> dict[str, Part]:
    """Return the fields of the one structure of a hive that is called *name*."""
    spans = spans_of(data)
    (span,) = (span for span in spans if span.structure.name == name)
    return {part.field.name: part for part in spans.parts(span)}


def assert_spans_cover(data: bytes) -> Spans:
    """Fail unless spans, and the parts of each, follow each other from the first byte to the last; return them."""
    spans = spans_of(data)
    at = 0
    for span in spans:
        assert span.offset == at
        for part in spans.parts(span):
            assert (part.offset, part.size > 0) == (at, True)
            at += part.size
        assert at == span.offset + span.length
    assert at == len(data)
    return spans


def test_every_byte_of_the_committed_hives_is_of_a_known_structure() -> None:
    assert len(committed_hives()) == 12
    for name, (data, _) in committed_hives().items():
        kinds = {span.structure for span in assert_spans_cover(data)}
        assert not kinds & {structures.UNREAD, structures.USED, structures.REST}, name
        assert not read(data).findings


def test_spans_cover_the_12_288_bytes_of_the_bcd_store() -> None:
    data, _ = committed_hives()["scratch:BCD"]
    assert len(data) == 12288
    count: Counter[str] = Counter()
    for span in assert_spans_cover(data):
        count[span.structure.name] += span.length
    assert sum(count.values()) == 12288
    assert (count["base block"], count["bin header"]) == (4096, 64)
    assert count["key"] > count["value"] > count["values list"] > 0


@pytest.mark.parametrize("bin_size", [4096, 65536])
def test_spans_have_every_kind_of_structure(bin_size: int) -> None:
    spans = assert_spans_cover(bytes(make(SAMPLE, descriptors=DESCRIPTORS, bin_size=bin_size).data))
    missing = {structures.UNREAD, structures.USED, structures.REST, structures.SUBKEYS}
    assert {span.structure for span in spans} == set(structures.KINDS) - missing


def test_every_cell_has_a_span_where_the_maker_put_it() -> None:
    hive = sample()
    spans = spans_of(bytes(hive.data))
    names = {
        "key": {"key"},
        "value": {"value"},
        "values": {"values list"},
        "data": {"value data"},
        "class": {"class name"},
        "big": {"big data"},
        "segments": {"segments list"},
        "segment": {"data segment"},
        "sk": {"security record"},
        "list": {"hash leaf", "fast leaf", "index leaf", "index root"},
        "free": {"free cell"},
    }
    for label, at in hive.at.items():
        span = spans.at(at)
        assert (span.offset, span.structure.name in names[label.split()[0]]) == (at - 4, True), label


def test_fields_decode_to_the_values_of_the_maker() -> None:
    hive = sample()
    hive.poke("key Alpha", 4, "<Q", 0x01D6_3C12_3456_789A)
    spans = spans_of(hive.seal())

    def parts(label: str) -> dict[str, Part]:
        return {part.field.name: part for part in spans.parts(spans.at(hive.at[label]))}

    key = parts("key Alpha")
    assert (key["name"].text, key["flags"].text) == ("Alpha", "0x20 (name in Latin-1)")
    assert key["parent"].value == hive.pointer("key ")
    assert key["parent"].offset == hive.at["key Alpha"] + 16
    assert (key["class name"].text, key["number of values"].value) == ("0xffffffff (nowhere)", 5)
    assert key["last written"].text.startswith("0x1d63c123456789a (2020-06-0")
    assert parts("key Ωmega")["name"].text == "Ωmega"
    assert parts("class Classy")["class name"].text == "classes"
    assert parts("value Alpha\\Ωmega")["name"].text == "Ωmega"
    number = parts("value Alpha\\Number")
    assert (number["type"].text, number["data"].value) == ("4 (REG_DWORD)", b"\1\2\3\4")
    text = parts("value Alpha\\Text")
    assert text["data"].value == hive.pointer("data Alpha\\Text")
    assert parts("data Alpha\\Text")["data"].value == made.text("some text")
    assert parts("big Alpha\\Big")["number of segments"].value == 2
    for i in range(2):
        data = BIG[i * SEGMENT : (i + 1) * SEGMENT]
        assert parts(f"segment Alpha\\Big {i}")["data"].value == data
    assert parts("sk 2")["security descriptor"].value == DESCRIPTORS[2]
    assert parts("list ")["hash"].text == f"0x{made.name_hash('Ωmega'):x}"  # of the last entry
    assert parts("list fast")["hint"].value == b"\0\0\0\0"
    assert parts("list alphabet")["leaf"].value == hive.pointer("list alphabet 2")
    assert parts("values Alpha")["value"].value == hive.pointer("value Alpha\\Ωmega")


def test_a_span_has_the_offset_of_the_pointer_to_it() -> None:
    hive = sample()
    spans = spans_of(bytes(hive.data))
    for label, field in {
        "key ": ("", 36),
        "key Alpha": ("list ", 4),
        "data Alpha\\Text": ("value Alpha\\Text", 8),
        "class Classy": ("key Classy", 48),
        "segment Alpha\\Big 1": ("segments Alpha\\Big", 4),
    }.items():
        assert spans.at(hive.at[label]).owner == hive.at.get(field[0], 0) + field[1]


def test_describe_names_the_structure_and_field_of_an_offset() -> None:
    hive = sample()
    data = bytes(hive.data)
    alpha = hive.at["key Alpha"]
    for offset, words in {
        24: "base block at 0x0, minor version",
        27: "base block at 0x0, minor version",
        4095: "base block at 0x0, boot recover",
        4096: "bin header at 0x1000, signature",
        alpha - 4: f"key at 0x{alpha - 4:x}, cell size",
        alpha + 2: f"key at 0x{alpha - 4:x}, flags",
        alpha + 80: f"key at 0x{alpha - 4:x}, name",
        alpha + 81: f"key at 0x{alpha - 4:x}, unused",
        hive.at["free"]: f"free cell at 0x{hive.at['free'] - 4:x}, unused",
    }.items():
        assert describe(data, offset) == words
    for offset in (-1, len(data)):
        with pytest.raises(IndexError):
            describe(data, offset)


def test_spans_cover_what_follows_damage_or_the_bins() -> None:
    hive = sample()
    second = BASE + hive.peek("", BASE + 8, "<I")
    hive.poke("", second + 8, "<I", 0)
    hive.data.extend(bytes(512))
    (*_, unread, rest) = assert_spans_cover(hive.seal())
    assert (unread.offset, unread.structure, rest.structure) == (second, structures.UNREAD, structures.REST)
    assert rest.length == 512
    for rubbish in (b"", b"regf", bytes(9000)):
        assert [span.structure for span in assert_spans_cover(rubbish)] == [structures.UNREAD] * bool(rubbish)


def test_spans_cover_every_byte_of_damaged_hives() -> None:
    chance = random.Random(2)  # noqa: S311
    data = bytes(sample().data)
    parts = live_parts(data)
    for _ in range(count(50, 300)):
        assert_spans_cover(mutate(chance, data, parts))


def test_spans_are_a_sequence() -> None:
    spans = spans_of(bytes(make(Node("root")).data))
    assert [span.structure.name for span in spans] == [
        "base block",
        "bin header",
        "security record",
        "key",
        "free cell",
    ]
    assert spans[-1] == spans[4] == spans[3:][1]
    assert isinstance(spans[0], Span)
    with pytest.raises(IndexError):
        spans[5]


def test_the_table_is_that_of_the_format() -> None:
    sizes = {
        structures.BASE_BLOCK: 4096,
        structures.BIN: 32,
        structures.KEY: 76,
        structures.VALUE: 20,
        structures.SECURITY: 20,
        structures.BIG_DATA: 8,
        **dict.fromkeys(structures.LEAVES, 4),
    }
    for structure, size in sizes.items():
        assert structure.unpacker.size == size
        assert len(structure.offsets) == len(structure.fields)
        assert structure.signatures[0] == struct.pack(f"{structure.fields[0].size}s", structure.signatures[0])
