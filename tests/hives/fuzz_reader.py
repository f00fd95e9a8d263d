# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of the hive reader, as a program: ``python tests/hives/fuzz_reader.py [options] CORPUS…``.

Each input is read as it is and with its base block repaired, or hardly any would get beyond the checksum.
"""

import struct
import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

with atheris.instrument_imports(include=["generator.hives"]):
    from generator.hives.reader import check_hive, read_hive
    from generator.hives.rules import HiveError

from helpers.hive_maker import seal  # noqa: E402 (found only once the path is set)


def repaired(data: bytes) -> bytes:
    """Return *data* as whole pages with a base block that says so."""
    hive = bytearray(data)
    hive.extend(bytes(-len(hive) % 4096))
    hive[:4] = b"regf"
    struct.pack_into("<I", hive, 40, len(hive) - 4096)
    return seal(hive)


def check(hive: bytes) -> None:
    """Read *hive* both ways, which must agree; any exception but HiveError is a crash, and -timeout ends a hang."""
    first = None
    try:
        read_hive(hive)
    except HiveError as error:
        first = error.offset, error.rule
    assert first == next(((finding.offset, finding.rule) for finding in check_hive(hive)), None)


def one_input(data: bytes) -> None:
    """Check one input of the fuzzer's."""
    check(data)
    if data:
        check(repaired(data))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
