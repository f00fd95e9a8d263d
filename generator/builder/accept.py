# SPDX-License-Identifier: Apache-2.0
"""Is a builder's answer the hive that it was asked for? It is if it has every byte of the one laid out here."""

from bisect import bisect_left

from ..base.errors import GeneratorError
from ..hives.layout import lay_out
from ..hives.model import Hive
from ..hives.reader import describe, read_hive


def accept(name: str, data: bytes, wanted: Hive, builder: str) -> None:
    """Raise GeneratorError if *data*, the hive called *name*, is not what *wanted* is laid out as.

    The error names the *builder*, such as "engine native (hivex 1.3.23)", where and in which structure the two
    hives differ first, and whether a reader finds the keys and values that were *wanted*.
    """
    ours = lay_out(wanted)
    if data == ours:
        return
    same = bisect_left(range(min(len(data), len(ours))), True, key=lambda end: data[: end + 1] != ours[: end + 1])
    structure = describe(ours, same) if same < len(ours) else "behind its end"
    try:
        kept = _by_name(read_hive(data)) == _by_name(wanted)
        content = f"the engine's has {'the' if kept else 'other'} keys and values {'' if kept else 'than '}specified"
    except GeneratorError as error:
        content = f"the engine's is not sound ({error})"
    raise GeneratorError(
        f"{name}: {builder} and builtin make different hives, from offset 0x{same:x} on ({structure}); {content}; "
        "neither is taken: try another engine"
    )


def _by_name(hive: Hive) -> dict[tuple[str, ...], list[tuple[str, int, bytes]]]:
    """Return a hive's values by key, in one order: that of keys and values in a hive is the format's."""
    return {key.path: sorted((v.name, v.type, v.data) for v in key.values) for key in hive}
