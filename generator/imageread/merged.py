# SPDX-License-Identifier: Apache-2.0
"""Merge the layers of a Windows image into one tree, as Windows' importer and NTFS do.

Names are compared without case. A whiteout is an entry of any type named ``.wh.NAME``; it removes NAME from the layers
below, never from its own. Windows has no opaque whiteouts: ``.wh..wh..opq`` removes a file named ``.wh..opq``, and
hides nothing. A hard link's target is looked up among the earlier files of its own layer, then in the layers below,
topmost first, where it is found even if a whiteout removes it.
Source: github.com/microsoft/hcsshim v0.15.0, pkg/ociwclayer/import.go and internal/wclayer/legacy.go, Remove and
AddLink.
"""

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from ..base.errors import GeneratorError, brief
from ..oci.files import facts
from ..oci.names import MOST_CHARACTERS, MOST_ENTRIES, MOST_PATH, fold, units, wrong
from .untar import DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK, TarEntry

KINDS: Final = frozenset({FILE, DIRECTORY, HARD_LINK, SYMBOLIC_LINK})
_OPAQUE: Final = ".wh..wh..opq"
_wrong = lru_cache(maxsize=1 << 14)(wrong)

Source = tuple[int, TarEntry]
"""Where a file's data is: the number of the layer, and the entry in it."""


@dataclass(slots=True, eq=False)
class _Node:
    """A path of the tree; *entry* is None for a directory that only the paths below it imply."""

    name: str
    entry: TarEntry | None = None
    source: Source | None = None
    children: "dict[str, _Node] | None" = field(default_factory=dict)  # by folded name; None for a file or link


class MergedTree:
    """The tree of an image's layers, added lowest first.

    *left_out* has the name and the reason of each entry that Windows cannot store; *opaque* lists the whiteouts named
    ``.wh..wh..opq``, which hide a directory's content on Linux only.
    """

    def __init__(self) -> None:
        self._top = _Node("")
        self._below: dict[str, Source] = {}  # the topmost entry of each folded path, removed ones included
        self._layers = 0
        self._room, self._characters = MOST_ENTRIES, MOST_CHARACTERS
        self.left_out: list[tuple[str, str]] = []
        self.opaque: list[str] = []

    def add(self, entries: Sequence[TarEntry]) -> None:
        """Put a layer on top; raise GeneratorError if the tree has too many paths."""
        for entry in entries:
            if _is_whiteout(entry):
                self._remove(entry)
        own: dict[str, Source] = {}
        last = ""
        for entry in entries:
            if _is_whiteout(entry):
                continue
            is_stream = bool(last) and entry.kind == FILE and entry.name.startswith(f"{last}:")
            parts = [part for part in entry.name.rstrip("/").split("/") if part != "."]
            reason = "an alternate data stream" if is_stream else _fault(entry, parts)
            if not reason:
                source = self._source(entry, own) if parts else None
                if entry.kind == HARD_LINK and source is None:
                    reason = f"the target {brief(entry.target)} of the hard link is not a file"
            if reason:
                self.left_out.append((entry.name, reason))
            elif parts:
                self._put(parts, entry, source)
                own[fold("/".join(parts))] = source or (self._layers, entry)
            last = last if is_stream else entry.name
        self._below |= own
        self._layers += 1

    def entries(self) -> Iterator[tuple[TarEntry, Source | None]]:
        """Yield the tree's entries by their paths in it, and where the data of each file and hard link is.

        They are sorted by folded name, each directory before its content. If a file has several names, the first is a
        FILE, and the others are HARD_LINKs to the first.
        """
        first: dict[tuple[int, int], str] = {}  # first name of each file, by layer and offset of its data
        todo = [("", self._top)]
        while todo:
            path, node = todo.pop()
            if path:
                entry = _placed(node, path)
                if entry.kind == FILE and node.source is not None:
                    target = first.setdefault((node.source[0], node.source[1].offset), path)
                    if target != path:
                        entry = entry._replace(kind=HARD_LINK, size=0, target=target)
                yield entry, node.source
            for _, child in sorted((node.children or {}).items(), reverse=True):
                todo.append((f"{path}/{child.name}" if path else child.name, child))

    def _remove(self, entry: TarEntry) -> None:
        """Remove the path that a whiteout names, split and cleaned as by Go's path package."""
        part = entry.name.rstrip("/").rpartition("/")[2]
        if part == _OPAQUE:
            self.opaque.append(entry.name)
        folder = entry.name.rpartition("/")[0]
        removed = posixpath.normpath(posixpath.join(folder, part.removeprefix(facts().whiteout)))
        if removed == "." or removed.startswith(("/", "../")) or removed == "..":
            self.left_out.append((entry.name, "a whiteout of a path outside the image"))
            return
        *parents, name = map(fold, removed.split("/"))
        node: _Node | None = self._top
        for part in parents:
            node = (node.children or {}).get(part) if node else None
        if node and node.children:
            node.children.pop(name, None)

    def _source(self, entry: TarEntry, own: dict[str, Source]) -> Source | None:
        """Return where the data of a file or hard link is; None for other entries, and if the target is not a file."""
        if entry.kind == HARD_LINK:
            target = fold(posixpath.normpath(entry.target))
            found = own.get(target) or self._below.get(target)
            return found if found and found[1].kind == FILE else None
        return (self._layers, entry) if entry.kind == FILE else None

    def _put(self, parts: Sequence[str], entry: TarEntry, source: Source | None) -> None:
        node, length = self._top, 0
        for part in parts:
            length += len(part) + 1
            if node.children is None:  # a file of a lower layer that becomes a directory
                node.entry = node.source = None
                node.children = {}
            folded = fold(part)
            child = node.children.get(folded)
            if child is None:
                self._room, self._characters = self._room - 1, self._characters - length
                if self._room < 0 or self._characters < 0:
                    raise GeneratorError(f"layers: more than {MOST_ENTRIES:,} paths, or too long ones")
                child = node.children[folded] = _Node(part)
            node = child
        node.name, node.entry, node.source = parts[-1], entry, source
        node.children = (node.children or {}) if entry.kind == DIRECTORY else None


def _placed(node: _Node, path: str) -> TarEntry:
    """Return the entry of a node, renamed to *path*; a hard link becomes the file that it points to."""
    entry = node.entry
    if entry is None:
        return TarEntry(path, DIRECTORY, 0, "", 0, 0o755, {}, 0, 0, None, None)
    if entry.kind == HARD_LINK and node.source is not None:
        entry = node.source[1]
    return entry._replace(name=path)


def _is_whiteout(entry: TarEntry) -> bool:
    return entry.name.rstrip("/").rpartition("/")[2].startswith(facts().whiteout)


def _fault(entry: TarEntry, parts: Sequence[str]) -> str:
    """Return why Windows cannot store an entry, or an empty string."""
    if entry.kind not in KINDS:
        return f"tar's type is {entry.kind!r}"
    if not parts and entry.kind != DIRECTORY:
        return "it has no name"
    if len(entry.name) > MOST_PATH // 2 and units(entry.name) > MOST_PATH:
        return f"the path is longer than {MOST_PATH:,} UTF-16 units"
    return next(filter(None, map(_wrong, parts)), None) or ""
