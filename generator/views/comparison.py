# SPDX-License-Identifier: Apache-2.0
"""Records of how two layers, hives or images differ: in content (entries, keys, values) and in bytes (structures)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..hives.spans import Part

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
MOST_STRUCTURES: Final = 1000  # listed for one hive; more are counted


class Location(NamedTuple):
    """Where a difference is: a layer's name, an entry's path, a key's path, a value's name; empty or None if unused."""

    layer: str = ""
    entry: str = ""
    key: tuple[str, ...] | None = None
    value: str | None = None


class ContentChange(NamedTuple):
    """One difference in content: *kind* is added, removed or changed, *what* is entry, attributes, key and so on.

    *layer*, *entry*, *key* and *value* are the location, *old* and *new* the states as text, *words* bcdedit's name.
    """

    kind: str
    what: str
    layer: str
    entry: str
    key: tuple[str, ...] | None
    value: str | None
    old: str
    new: str
    words: str = ""


class StructureChange(NamedTuple):
    """One structure whose bytes differ: *offset* and *size* in bytes of its file, and its changed fields, old and new.

    *differing* counts the bytes that differ. A structure that only one file has at that offset is added or removed. The
    offset of a tar header is that in the old tar.
    """

    kind: str
    layer: str
    entry: str
    structure: str
    offset: int
    size: int
    differing: int
    fields: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All differences found between two layers, hives or images."""

    changes: list[ContentChange] = field(default_factory=list)
    structures: list[StructureChange] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)  # by entry, the number of structures left out of the list

    @property
    def equal(self) -> bool:
        """Whether both sides are equal."""
        return not (self.changes or self.structures or self.more)

    @property
    def count(self) -> int:
        """The number of differences listed."""
        return len(self.changes) + len(self.structures)

    def add(self, kind: str, what: str, where: Location, old: str = "", new: str = "", words: str = "") -> None:
        """Add a difference in content."""
        self.changes.append(ContentChange(kind, what, *where, old, new, words))

    def changed(self, what: str, where: Location, old: str, new: str, words: str = "") -> None:
        """Add a difference in content if the texts *old* and *new* differ; an empty one is the absence of *what*."""
        if old != new:
            self.add(CHANGED if old and new else REMOVED if old else ADDED, what, where, old, new, words)

    def structure(
        self, where: Location, name: str, offset: int, parts: Sequence[Sequence[Part]], raw: Sequence[bytes]
    ) -> None:
        """Add a difference between two structures of one kind and length, given as fields and as bytes."""
        fields = tuple(
            (mine.field.name, mine.text, yours.text)
            for mine, yours in zip(*parts, strict=False)
            if mine.value != yours.value and mine.field.name == yours.field.name
        )
        differing = sum(mine != yours for mine, yours in zip(*raw, strict=False))
        self.structures.append(
            StructureChange(CHANGED, where.layer, where.entry, name, offset, len(raw[0]), differing, fields)
        )
