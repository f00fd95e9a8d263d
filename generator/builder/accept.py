# SPDX-License-Identifier: Apache-2.0
"""Accept a built hive only if it is byte for byte the one that this program lays out."""

from bisect import bisect_left

from ..base.errors import GeneratorError
from ..hives.layout import lay_out
from ..hives.model import Hive
from ..hives.reader import describe, read_hive


def accept(name: str, data: bytes, wanted: Hive, builder: str) -> None:
    """Raise GeneratorError if *data*, the hive *name*, differs from the layout of *wanted*.

    The error names the *builder*, such as "engine native (hivex 1.3.23)", the offset and structure of the first
    difference, and whether the keys and values are those *wanted*.
    """
    ours = lay_out(wanted)
    if data == ours:
        return
    same = bisect_left(range(min(len(data), len(ours))), True, key=lambda end: data[: end + 1] != ours[: end + 1])
    structure = describe(ours, same) if same < len(ours) else "after its end"
    try:
        kept = _by_name(read_hive(data)) == _by_name(wanted)
        content = f"keys and values are {'as' if kept else 'not as'} specified"
    except GeneratorError as error:
        content = f"the engine's hive is damaged: {error}"
    raise GeneratorError(
        f"{name}: {builder} and builtin make different hives, from offset 0x{same:x} on ({structure}), and {content}; "
        "hint: use another engine"
    )


def _by_name(hive: Hive) -> dict[tuple[str, ...], list[tuple[str, int, bytes]]]:
    """Return a hive's values by key, sorted, since the format defines the order in a file."""
    return {key.path: sorted((v.name, v.type, v.data) for v in key.values) for key in hive}
