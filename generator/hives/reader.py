# SPDX-License-Identifier: Apache-2.0
"""Reader of registry hives (primary files of the "regf" format): what is in one, is it sound, and what is each byte?

One walk accounts for every cell of a hive: each is free or used by exactly one owner, security records apart. It asks
for what Windows' loader and msuhanov's specification ask for, and for the tidiness of a hive that was made, not lived
in; RULES says which is which. It knows nothing of how hives are built.

Offsets in findings count bytes from the start of the file; offsets inside a hive, here called pointers, count from the
first bin, which starts at 0x1000. The walk's parts: base (the base block), cells (bins, cells and their owners), keys,
lists (of subkeys), values, names.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..errors import GeneratorError
from . import structures as s
from .base import read_base
from .cells import MAX_ALIKE, Buffer, EnoughError, Walk
from .keys import check_ring, read_key
from .lists import read_head
from .model import Hive, Key
from .rules import Finding, HiveError, Level
from .spans import Spans

__all__ = ["Finding", "HiveError", "Level", "Reading", "check_hive", "describe", "read", "read_hive"]

_MAX_LEVELS: Final = 512


@dataclass(frozen=True, slots=True)
class Reading:
    """What a hive holds and what is wrong with it.

    *hive* is empty unless keys were asked for, *spans* None unless they were. *more* counts, by rule, findings that
    Windows does not mind and that are too many to be listed.
    """

    hive: Hive
    key_count: int
    value_count: int
    findings: tuple[Finding, ...]
    more: Mapping[str, int]
    spans: Spans | None

    @property
    def level(self) -> Level | None:
        """The worst that follows from the findings, or None if there are none."""
        found = {finding.level for finding in self.findings}
        return next((level for level in Level if level in found), None)


def read_hive(data: Buffer) -> Hive:
    """Return all keys and values of a hive, each parent before its subkeys, or raise HiveError at the first finding."""
    walk = Walk(data, strict=True, keep=True, owners=False)
    return tuple(_run(walk))


def check_hive(data: Buffer) -> list[Finding]:
    """Return what is wrong with a hive, leaving out what cannot be told behind a fault."""
    return list(read(data).findings)


def read(data: Buffer, *, keys: bool = False, spans: bool = False) -> Reading:
    """Read a hive as far as it can be read, damaged or not; keep its *keys* and *spans* if asked for.

    Raise GeneratorError if keys are asked for whose paths need far more memory than the hive.
    """
    walk = Walk(data, strict=False, keep=keys, owners=spans)
    hive: list[Key] = []
    with contextlib.suppress(EnoughError):
        hive = _run(walk)
    more = {rule: count - MAX_ALIKE for rule, count in walk.alike.items() if count > MAX_ALIKE}
    found = Spans(walk) if spans else None
    return Reading(tuple(hive), walk.key_count, walk.value_count, tuple(walk.findings), more, found)


def describe(data: Buffer, offset: int) -> str:
    """Return which structure and field of a hive the byte at *offset* of the file belongs to, in words."""
    walk = Walk(data, strict=False, keep=False, owners=True)
    with contextlib.suppress(EnoughError):
        _run(walk)
    span, part = Spans(walk).locate(offset)
    return f"{span.structure.name} at 0x{span.offset:x}, {part.field.name}"


def _run(walk: Walk) -> list[Key]:
    root, end = read_base(walk)
    walk.map_cells(end)
    keys = _tree(walk, root)
    if walk.whole:
        check_ring(walk)
    if walk.whole:
        walk.leaks()
    return keys


def _tree(walk: Walk, root: int) -> list[Key]:
    """Walk all keys, each parent before its subkeys; a stack of our own, for Python's is shallower than a hive."""
    keys: list[Key] = []
    head = read_head(walk, root, s.BASE_BLOCK.offsets["root key"])
    # Paths share their names but not their tuples, so a hive both deep and wide would outgrow its file.
    room = len(walk.data) + 0x400000
    # For each key still to be read: where its record is, its parent's pointer, its level and its path.
    stack: list[tuple[int, int | None, int, tuple[str, ...]]] = [(head.at, None, 1, ())] if head else []
    while stack:
        at, parent, level, path = stack.pop()
        values, subkeys = read_key(walk, at, parent)
        walk.key_count += 1
        if walk.keep:
            keys.append(Key(path, values))
        if subkeys and level == _MAX_LEVELS:
            walk.fault(at + s.KEY.offsets["number of subkeys"], "key-depth", f"the key on level {level} has subkeys")
            walk.whole = False
            continue
        if walk.keep:
            room -= 8 * level * len(subkeys)
            if room < 0:
                raise GeneratorError(
                    f"the hive is too deep and wide at once: the paths of its keys outgrow it at {at:#x}"
                )
        pointer = at - 4 - s.BASE
        for below in reversed(subkeys):
            # Without keys to keep, a path is no use, and the walk stays as small as the hive is deep and wide.
            stack.append((below.at, pointer, level + 1, (*path, below.name) if walk.keep else path))
    return keys
