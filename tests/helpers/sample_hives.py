# SPDX-License-Identifier: Apache-2.0
"""Sample hives written by Windows, and some damaged on purpose, collected by other projects; and the findings in them.

They are not part of this project. WINSCRATCH_SAMPLE_HIVES names a directory of them, each compressed with xz and named
after the project whose tests it is from (msuhanov/yarp, mkorman90/regipy, williballenthin/python-registry).
"""

import lzma
import os
from pathlib import Path

import pytest

from generator.hives.rules import Level

FOLDER = os.environ.get("WINSCRATCH_SAMPLE_HIVES", "")

# The rules that each hive breaks. Windows wrote most files longer than their bins.
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
