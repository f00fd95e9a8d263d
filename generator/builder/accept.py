# SPDX-License-Identifier: Apache-2.0
"""Is a builder's answer the hive that it was asked for? It is if it has every byte of the one laid out here."""

from bisect import bisect_left

from ..errors import GeneratorError
from ..hives import reader
from ..hives.layout import lay_out
from ..hives.model import Hive

_PAGE = 4096
_RECORDS = {b"nk": "a key", b"vk": "a value", b"lh": "a subkeys list", b"sk": "the security record"}


def accept(name: str, data: bytes, wanted: Hive, builder: str) -> None:
    """Raise GeneratorError if *data*, the hive called *name*, is not what *wanted* is laid out as.

    The error names the *builder*, such as "engine native (hivex 1.3.23)", where and in which structure the two
    hives differ first, and whether a reader finds the keys and values that were *wanted*.
    """
    ours = lay_out(wanted)
    if data == ours:
        return
    same = bisect_left(range(min(len(data), len(ours))), True, key=lambda end: data[: end + 1] != ours[: end + 1])
    structure = _structure(ours, same) if same < len(ours) else "behind its end"
    try:
        kept = _by_name(reader.read_hive(data)) == _by_name(wanted)
        content = f"the engine's has {'the' if kept else 'other'} keys and values {'' if kept else 'than '}specified"
    except reader.HiveError as error:
        content = f"the engine's is not sound ({error})"
    raise GeneratorError(
        f"{name}: {builder} and builtin make different hives, from offset 0x{same:x} on ({structure}); {content}; "
        "neither is taken: try another engine"
    )


def _by_name(hive: Hive) -> dict[tuple[str, ...], list[tuple[str, int, bytes]]]:
    """Return a hive's values by key, in one order: that of keys and values in a hive is the format's."""
    return {key.path: sorted((v.name, v.type, v.data) for v in key.values) for key in hive}


def _structure(hive: bytes, offset: int) -> str:
    """Return what the byte at *offset* of a sound hive is part of."""
    if offset < _PAGE:
        return "the base block"
    at = end = _PAGE
    while True:
        if at == end:
            end += int.from_bytes(hive[at + 8 : at + 12], "little")
            size, what = 32, "a bin's header"
        else:
            size = -int.from_bytes(hive[at : at + 4], "little", signed=True)
            what = _RECORDS.get(hive[at + 4 : at + 6], "a values list or data") if size > 0 else "a free cell"
        if offset < at + abs(size):
            return f"{what} at 0x{at:x}"
        at += abs(size)
