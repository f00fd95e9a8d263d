# SPDX-License-Identifier: Apache-2.0
"""Is a builder's answer the hive that it was asked for?"""

from ..errors import GeneratorError
from ..hivebuilder.emptyhive import empty_hive
from ..hives import reader
from ..hives.model import Hive


def accept(name: str, data: bytes, wanted: Hive) -> None:
    """Refuse a hive that is not sound, or does not hold exactly the keys and values that were *wanted*."""

    def by_name(keys: Hive) -> dict[tuple[str, ...], list[tuple[str, int, bytes]]]:
        # The order of keys and values in a hive is the format's, not the specification's.
        return {key.path: sorted((v.name, v.type, v.data) for v in key.values) for key in keys}

    try:
        found = by_name(reader.read_hive(data))
    except reader.HiveError as error:
        raise GeneratorError(f"{name}: the engine returned a hive that is not sound: {error}") from error
    if not _is_grown_from(data, empty_hive()):
        raise GeneratorError(f"{name}: the engine returned a hive with another base block or other access rights")
    expected = by_name(wanted)
    for path in sorted(expected.keys() | found.keys()):
        if expected.get(path) != found.get(path):
            raise GeneratorError(
                f"{name}: the engine returned a hive whose key {chr(92).join(path) or '(root)'} is not as specified"
            )


def _is_grown_from(data: bytes, empty: bytes) -> bool:
    """Tell whether a sound hive has the base block and the one security record of the *empty* hive it began as."""

    def fixed(hive: bytes) -> tuple[bytes, ...]:
        record = 0x1000 + int.from_bytes(hive[0x1050:0x1054], "little")  # the root key's security record
        end = record - int.from_bytes(hive[record : record + 4], "little", signed=True)
        # Left out: sequence numbers, length, checksum; the record's number of keys that use it.
        return (
            hive[:4],
            hive[12:40],
            hive[44:508],
            hive[512:0x1000],
            hive[record : record + 16],
            hive[record + 20 : end],
        )

    return fixed(data) == fixed(empty)
