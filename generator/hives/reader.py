# SPDX-License-Identifier: Apache-2.0
"""Read and check registry hives, primary files of the "regf" format: keys, values, findings, and spans of bytes.

One walk accounts for every cell of a hive: each is free or has exactly one owner, except security records. It checks
the rules of Windows' loader and of msuhanov's specification, and the tidiness of a newly made hive; RULES has the
source of each. It shares no code with the layout.

Offsets in findings count bytes from the start of the file; offsets inside a hive, here called pointers, count from the
first bin, which starts at 0x1000. The walk's parts: base_block, cells (bins, cells and their owners), keys, lists (of
subkeys), values, names.
"""

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ..base.errors import GeneratorError
from . import structures as s
from .base_block import read_base
from .cells import MAX_ALIKE, Buffer, EnoughError, SkippedError, Walk
from .keys import check_ring, read_key
from .lists import read_head
from .model import Hive, Key, Value, fold_name
from .rules import HiveFinding, Level
from .spans import Spans

_MAX_LEVELS: Final = 512
_SECURITY_AT: Final = s.KEY.offsets["security record"]
_WRITTEN_AT: Final = s.KEY.offsets["last written"]


@dataclass(frozen=True, slots=True)
class Reading:
    """The content and the findings of a hive.

    *hive* is empty unless keys were requested, *spans* None unless spans were. *more* counts, by rule, the findings of
    level unusual beyond those that are listed.
    """

    hive: Hive
    key_count: int
    value_count: int
    findings: tuple[HiveFinding, ...]
    more: Mapping[str, int]
    spans: Spans | None

    @property
    def level(self) -> Level | None:
        """The worst level of the findings, or None without findings."""
        found = {finding.level for finding in self.findings}
        return next((level for level in Level if level in found), None)


class Node(NamedTuple):
    """A key of a walk: its path and values, the offset in the file of its record and, in *places*, of its values'.

    *descriptor* is its security descriptor, *written* the time of its last change, in units of 100 ns since 1601.
    *subkeys* is the number of subkeys that follow, *last* whether the key is the last subkey of its parent.
    """

    path: tuple[str, ...]
    values: tuple[Value, ...]
    at: int
    places: tuple[int, ...]
    descriptor: bytes
    written: int
    subkeys: int
    last: bool


class Visit:
    """A lazy reading of a hive, key by key up to its damage."""

    def __init__(self, data: Buffer, *, spans: bool = False) -> None:
        """Begin to read *data*; record *spans* if requested."""
        self._walk = Walk(data, strict=False, keep=True, owners=spans)

    def nodes(self, path: tuple[str, ...] = ()) -> Iterator[Node]:
        """Yield the keys, each parent before its subkeys; can be called once.

        With *path*, in any case, go straight to that key: yield the keys on the way, the key and those below it, and
        read nothing else.
        """
        with contextlib.suppress(EnoughError):
            yield from _run(self._walk, tuple(map(fold_name, path)))

    def bounded(self, path: tuple[str, ...] = ()) -> Iterator[Node]:
        """Yield what nodes() yields; raise GeneratorError if the paths need far more memory than the hive."""
        return _bounded(self._walk, self.nodes(path))

    def reading(self) -> Reading:
        """Return the result so far, without the keys."""
        return _reading(self._walk, ())


def read_hive(data: Buffer) -> Hive:
    """Return all keys and values of a hive, each parent before its subkeys, or raise HiveError at the first finding."""
    walk = Walk(data, strict=True, keep=True, owners=False)
    return tuple(_keys(walk))


def check_hive(data: Buffer) -> list[HiveFinding]:
    """Return the findings of a hive; parts that are unreadable because of damage are not checked."""
    return list(read(data).findings)


def read(data: Buffer, *, keys: bool = False, spans: bool = False) -> Reading:
    """Read a hive, damaged or not, as far as it is readable; return its *keys* and *spans* if requested.

    Raise GeneratorError if *keys* are requested and their paths need far more memory than the hive.
    """
    walk = Walk(data, strict=False, keep=keys, owners=spans)
    hive: list[Key] = []
    with contextlib.suppress(EnoughError):
        hive.extend(_keys(walk))
    return _reading(walk, tuple(hive))


def _reading(walk: Walk, hive: Hive) -> Reading:
    more = {rule: count - MAX_ALIKE for rule, count in walk.alike.items() if count > MAX_ALIKE}
    found = Spans(walk) if walk.owners is not None else None
    return Reading(hive, walk.key_count, walk.value_count, tuple(walk.findings), more, found)


def describe(data: Buffer, offset: int) -> str:
    """Return the names of the structure and the field of the byte at *offset* in a hive's file."""
    walk = Walk(data, strict=False, keep=False, owners=True)
    with contextlib.suppress(EnoughError):
        deque(_run(walk), 0)
    span, part = Spans(walk).locate(offset)
    return f"{span.structure.name} at 0x{span.offset:x}, {part.field.name}"


def _keys(walk: Walk) -> Iterator[Key]:
    """Yield all keys as records; raise GeneratorError if the paths need far more memory than the hive."""
    return (Key(node.path, node.values) for node in _bounded(walk, _run(walk)))


def _bounded(walk: Walk, nodes: Iterator[Node]) -> Iterator[Node]:
    # Paths share their names but not their tuples, so a hive both deep and wide would outgrow its file.
    room = len(walk.data) + 0x400000
    for node in nodes:
        yield node
        room -= 8 * (len(node.path) + 1) * node.subkeys
        if room < 0:
            raise GeneratorError(
                f"the hive is too deep and wide at once: the paths of its keys outgrow it at {node.at:#x}"
            )


def _run(walk: Walk, path: tuple[str, ...] = ()) -> Iterator[Node]:
    """Read all of a hive, or of the key at *path*; yield its keys, each before its subkeys, if the walk keeps them."""
    root, end = read_base(walk)
    walk.map_cells(end)
    yield from _tree(walk, root, path)
    if walk.whole:
        with contextlib.suppress(SkippedError):
            check_ring(walk)
            walk.leaks()


def _tree(walk: Walk, root: int, path: tuple[str, ...]) -> Iterator[Node]:
    """Yield all keys; with a stack of our own, because a hive can be deeper than Python's."""
    # For each key to be read: the offset of its record, its parent's pointer, its level, its name, whether it is last.
    stack: list[tuple[int, int | None, int, str, bool]] = []
    with contextlib.suppress(SkippedError):
        stack.append((read_head(walk, root, s.BASE_BLOCK.offsets["root key"]).at, None, 1, "", True))
    here: list[str] = []  # the path of the key that was read last
    while stack:
        at, parent, level, name, last = stack.pop()
        values, places, subkeys = read_key(walk, at, parent)
        walk.key_count += 1
        if subkeys and level == _MAX_LEVELS:
            walk.fault(at + s.KEY.offsets["number of subkeys"], "key-depth", f"the key on level {level} has subkeys")
            walk.whole = False
            subkeys = []
        if walk.keep:
            if level > 1:
                here[level - 2 :] = [name]
            security = int.from_bytes(walk.data[at + _SECURITY_AT : at + _SECURITY_AT + 4], "little")
            written = int.from_bytes(walk.data[at + _WRITTEN_AT : at + _WRITTEN_AT + 8], "little")
            descriptor = walk.descriptors.get(security, b"")
            yield Node(tuple(here), values, at, places, descriptor, written, len(subkeys), last)
        if level <= len(path):
            subkeys = [below for below in subkeys if fold_name(below.name) == path[level - 1]]
            walk.whole = False
        pointer, final = at - 4 - s.BASE, True
        for below in reversed(subkeys):
            stack.append((below.at, pointer, level + 1, below.name, final))
            final = False
