# SPDX-License-Identifier: Apache-2.0
"""Regions cover every byte of a tar or hive exactly once, damaged or not, with its structure and fields."""

import gzip
import io
import random
import tarfile

import pytest
from helpers.committed_modules import LAYERS, OUTPUT
from helpers.counts import count
from helpers.damage import live_parts, mutate
from helpers.hive_maker import sample

from generator.hives import structures
from generator.hives.reader import read
from generator.views.regions import (
    CONTENT,
    GROUP_OF,
    GROUPS,
    PADDING,
    TAR_END,
    TAR_HEADER,
    TAR_RECORDS,
    Regions,
)


def tar_of(layer: str) -> bytes:
    """Return a committed layer's tar."""
    return gzip.decompress((OUTPUT / f"layers/{layer}.tar.gz").read_bytes())


def assert_complete(regions: Regions) -> None:
    """Fail unless regions, and the parts of each, cover all bytes without gaps."""
    at = 0
    for number, region in enumerate(regions):
        assert (region.offset, region.length > 0) == (at, True)
        assert (regions.index(at), regions.at(at + region.length - 1)) == (number, region)
        for part in regions.parts(region):
            assert (part.offset, part.size > 0) == (at, True)
            at += part.size
        assert at == region.offset + region.length
    assert at == len(regions.data)


def test_every_structure_is_in_one_group() -> None:
    ours = {TAR_HEADER, TAR_RECORDS, CONTENT, PADDING, TAR_END}
    assert {*GROUP_OF} == {*structures.KINDS, *ours}
    assert len(GROUP_OF) == sum(map(len, GROUPS.values()))


@pytest.mark.parametrize("layer", LAYERS)
def test_regions_of_committed_layers_have_known_structures(layer: str) -> None:
    regions = Regions(tar_of(layer))
    assert_complete(regions)
    assert not regions.damage
    assert not {region.group for region in regions} & {"unread", "content"}
    with tarfile.open(fileobj=io.BytesIO(regions.data[:])) as tar:
        assert [(entry.path, entry.content, entry.size) for entry in regions.entries] == [
            (member.name, member.offset_data, member.size) for member in tar
        ]
    for entry in regions.entries:
        if entry.size:
            found = read(regions.data[entry.content :][: entry.size], keys=True)
            assert entry.reading is not None
            assert [(key.path, key.values) for key in entry.nodes or ()] == [
                (key.path, key.values) for key in found.hive
            ]
            assert (entry.reading.key_count, entry.reading.findings) == (found.key_count, ())
            assert regions.at(entry.content).structure is structures.BASE_BLOCK
        header = {part.field.name: part.text for part in regions.parts(regions.at(entry.offset))}
        assert int(header["size"], 8) == entry.size


def test_owner_is_the_offset_of_the_pointer() -> None:
    regions = Regions(tar_of("scratch"))
    (bcd,) = (entry for entry in regions.entries if entry.path.endswith("BCD"))
    for region in regions:
        if region.owner and region.offset in range(bcd.content, bcd.content + bcd.size):
            pointer = int.from_bytes(regions.data[region.owner : region.owner + 4], "little")
            assert bcd.content + structures.BASE + pointer == region.offset


def test_regions_of_a_bare_hive_are_its_spans() -> None:
    data = bytes(sample().data)
    regions = Regions(data)
    assert_complete(regions)
    spans = read(data, spans=True).spans
    assert spans is not None
    assert [(r.offset, r.length, r.structure, r.owner) for r in regions] == [
        (span.offset, span.length, span.structure, span.owner) for span in spans
    ]


def test_pax_records_are_regions_and_kept() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("Files/" + "long" * 50)
        info.size, info.pax_headers = 5, {"MSWINDOWS.fileattr": "32"}
        tar.addfile(info, io.BytesIO(b"hello"))
    regions = Regions(out.getvalue())
    assert_complete(regions)
    assert [region.structure for region in regions] == [TAR_RECORDS, TAR_HEADER, CONTENT, PADDING, TAR_END]
    (entry,) = regions.entries
    assert entry.tar_entry is not None
    assert (entry.path, entry.tar_entry.records["MSWINDOWS.fileattr"]) == (info.name, "32")


def test_regions_of_a_damaged_tar_end_with_an_unread_one() -> None:
    whole = tar_of("scratch")
    entries = Regions(whole).entries
    for at, left in ((entries[4].offset, 4), (0, 0)):
        damaged = bytearray(whole)
        damaged[at : at + 300] = b"rubbish" * 50
        regions = Regions(bytes(damaged))
        assert_complete(regions)
        assert (len(regions.entries), regions.at(len(whole) - 1).structure) == (left, structures.UNREAD)
        assert regions.damage is not None
        assert (regions.damage.part, regions.damage.offset) == ("tar", at)
    cut = Regions(whole[: entries[-1].content + 100])
    assert_complete(cut)
    assert cut.damage is not None
    assert (len(cut.entries), cut.entries[-1].size) == (len(entries), 100)
    assert str(cut.damage) == f"the tar is damaged at byte {len(cut.data):,}: the tar ends too early"


def test_regions_cover_every_byte_of_randomly_damaged_files() -> None:
    chance = random.Random(12)  # noqa: S311
    whole = tar_of("legacy")
    for _ in range(count(60, 300)):
        damaged = bytearray(whole[: chance.choice([len(whole), chance.randrange(len(whole))])])
        for _ in range(chance.randrange(1, 6)):
            if damaged:
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        assert_complete(Regions(bytes(damaged)))
    hive = bytes(sample().data)
    for _ in range(count(20, 100)):
        assert_complete(Regions(mutate(chance, hive, live_parts(hive))))
