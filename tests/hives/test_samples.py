# SPDX-License-Identifier: Apache-2.0
"""Hives that Windows wrote, and some that were damaged on purpose, collected by the makers of other readers.

They are not part of this project. WINSCRATCH_SAMPLE_HIVES names a folder of them, each compressed by xz and named for
the project whose tests it is from (msuhanov/yarp, mkorman90/regipy, williballenthin/python-registry). Every shape in
them that a rule is about is built small in mutations.py.
"""

from pathlib import Path

import pytest
from helpers.sample_hives import EXPECTED, FOLDER, LEVELS, sample_hive
from helpers.support import need_package

from generator.hives.reader import read
from generator.hives.rules import Level


def test_every_sample_that_there_is_is_expected() -> None:
    sample_hive("yarp-EmptyHive")
    assert {path.name.removesuffix(".xz") for path in Path(FOLDER).glob("*.xz")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_is_what_its_makers_say(name: str) -> None:
    reading = read(sample_hive(name), spans=True)
    assert {finding.rule for finding in reading.findings} == EXPECTED[name]
    assert reading.level == LEVELS.get(name, Level.UNUSUAL)
    assert reading.spans is not None
    assert sum(span.length for span in reading.spans) == len(sample_hive(name))


@pytest.mark.parametrize("name", [name for name in EXPECTED if LEVELS.get(name) != Level.REFUSED])
def test_a_sample_is_read_in_whole_as_another_reader_does(tmp_path: Path, name: str) -> None:
    reading = read(sample_hive(name), keys=True)
    (tmp_path / "hive").write_bytes(sample_hive(name))
    file = need_package("pyregf").file()
    file.open(str(tmp_path / "hive"))
    keys, values, stack = 0, 0, [file.get_root_key()]
    while stack:
        key = stack.pop()
        keys, values = keys + 1, values + key.number_of_values
        stack.extend(key.sub_keys)
    file.close()
    assert (reading.key_count, reading.value_count) == (keys, values)
    assert (len(reading.hive), sum(len(key.values) for key in reading.hive)) == (keys, values)
