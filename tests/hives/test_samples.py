# SPDX-License-Identifier: Apache-2.0
"""Hives that Windows wrote, and some that were damaged on purpose, collected by the makers of other readers.

They are not part of this project. WINSCRATCH_SAMPLE_HIVES names a folder of them, each compressed by xz and named for
the project whose tests it is from (msuhanov/yarp, mkorman90/regipy, williballenthin/python-registry). Every shape in
them that a rule is about is built small in mutations.py.
"""

import lzma
import os
from pathlib import Path

import pytest
from helpers.support import need_package

from generator.hives.reader import Level, read

FOLDER = os.environ.get("WINSCRATCH_SAMPLE_HIVES", "")

# What is found in each: the rules that it breaks. Windows wrote most files longer than their bins.
AHEAD = {"file-rest"}
EXPECTED: dict[str, set[str]] = {
    # Written by Windows or its offline library, and alive: nothing that would be refused.
    "yarp-EmptyHive": AHEAD,
    "yarp-BigDataHive": AHEAD,
    "yarp-StringValuesHive": AHEAD,
    "yarp-MultiSzHive": AHEAD,
    "yarp-ExtendedASCIIHive": AHEAD,
    "yarp-CompHive": AHEAD | {"subkey-hint"},
    "yarp-NewFlagsHive": AHEAD,
    "yarp-OffHive": set(),
    "yarp-ManySubkeysHive": AHEAD,
    "yarp-SlackHive": AHEAD,
    "yarp-TruncatedPairHive": AHEAD | {"key-name-surrogate"},  # half of a surrogate pair ends a name
    "yarp-System_Delta": AHEAD  # what a container's layer changes of the hive below
    | {"base-flags", "key-layer", "key-volatile-count", "key-volatile-list", "value-flags"},
    "yarp-OldDirtyHive_RecoveredHive_Windows7": AHEAD,
    "yarp-NewDirtyHive1_RecoveredHive_Windows10": AHEAD | {"cell-leak"},
    "regipy-NTUSER.DAT": AHEAD,
    "regipy-SAM": AHEAD,
    "regipy-BCD": set(),
    "python-registry-UNICODE_TESTS": set(),
    "python-registry-issue22.hive": set(),
    # Valid with its log.
    "regipy-SECURITY": {"base-sequence", "key-volatile-count", "key-volatile-list", "value-type"},
    # Damaged.
    "yarp-WrongOrderHive": AHEAD | {"subkey-order"},
    "yarp-BadListHive": AHEAD | {"key-parent", "key-shared"},
    "yarp-InvalidParentHive": AHEAD | {"key-parent"},
    "yarp-DuplicateSubkeysHive": AHEAD | {"subkey-duplicate"},
    "yarp-BadBaseBlockHive_BadBaseBlockHive": AHEAD | {"base-checksum", "base-minor", "base-sequence"},
    "yarp-TruncatedHive": {"file-length"},
    "regipy-corrupted_system_hive": {
        *("base-flags", "base-reserved", "bin-signature", "bin-offset", "bin-size"),
        *("key-volatile-count", "key-volatile-list"),
    },
}
LEVELS: dict[str, Level | None] = {
    "regipy-SECURITY": Level.DIRTY,
    **dict.fromkeys(list(EXPECTED)[-7:], Level.REFUSED),
    **dict.fromkeys((name for name, rules in EXPECTED.items() if not rules), None),
}


def sample_hive(name: str) -> bytes:
    """Return a sample; end the test where there are none."""
    if not FOLDER:
        pytest.skip("WINSCRATCH_SAMPLE_HIVES names no folder of sample hives")
    return lzma.decompress((Path(FOLDER) / f"{name}.xz").read_bytes())


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
