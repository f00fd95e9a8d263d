# SPDX-License-Identifier: Apache-2.0
"""Symlinks to the kind that Windows needs: a link to a directory has another form than one to a file.

The kind depends on the paths of the whole image, its base layer included, and on nothing on the building machine.
"""

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence

from ..base.console import Say
from ..base.errors import GeneratorError, brief
from ..imageread.untar import DIRECTORY, TarReader
from ..oci.files import facts
from ..oci.names import fold
from .sources import SourceEntry

_MOST_LINKS = 63  # on the way to one file: Microsoft, "Reparse Points"


def link_kinds(layers: Sequence[Sequence[SourceEntry]], base: bytes, note: Say) -> Sequence[Sequence[SourceEntry]]:
    """Return *layers* with the kind of each link set; *base* is the tar of their base layer, or empty.

    A link is one to a directory if its target is a directory of the image; links on the way are followed. If the
    target is not in the image, the link is one to a file, and *note* names it. Raises GeneratorError for a target
    that differs between layers, and for a relative one through ``Files``, which no container has.
    """
    if not any(entry.kind == "file-link" for layer in layers for entry in layer):
        return layers
    paths = _Paths(itertools.chain(_base_entries(base), *layers))
    linked = [[paths.linked(entry) if entry.target else entry for entry in layer] for layer in layers]
    if unknown := paths.unknown:
        others = len(unknown) - 1
        more = f", and {others:,} more link{'s' * (others != 1)}" if others else ""
        target = brief(unknown[0].target)
        note(f"{unknown[0].source}: {target} is not in the image, so the link becomes one to a file{more}")
    return linked


class _Paths:
    """The paths of an image with the given *entries*; *unknown* holds the links whose targets it lacks."""

    def __init__(self, entries: Iterable[SourceEntry]) -> None:
        self._found: dict[str, tuple[bool, str]] = {}  # by folded path: is it a directory, and the target of a link
        self._differing: set[str] = set()  # folded paths that are different things in two layers
        self.unknown: list[SourceEntry] = []
        for entry in entries:
            key, value = fold(entry.path), (entry.kind == "directory", entry.target)
            if self._found.setdefault(key, value) != value:
                self._differing.add(key)

    def linked(self, entry: SourceEntry) -> SourceEntry:
        """Return a link with its kind set; add it to *unknown* if its target is not in the image."""
        leads = self._leads_to_directory(entry)
        if leads is None:
            files = facts().users_root
            if f"{entry.target}/".replace("\\", "/").startswith(f"{files}/"):
                raise GeneratorError(
                    f"{entry.source}: the link's target {brief(entry.target)} is not in the image; "
                    f"hint: begin the target with C:\\, since {files} is a folder of layers, not of containers"
                )
            self.unknown.append(entry)
        return entry._replace(kind="directory-link") if leads else entry

    def _leads_to_directory(self, entry: SourceEntry) -> bool | None:
        """Return whether a link leads to a directory, or None if its target is not in the image."""
        way = _meant(fold(entry.path).split("/")[:-1], fold(entry.target))
        for _ in range(_MOST_LINKS):
            if not way:
                return None if way is None else True  # C: itself
            whole = not self._differing and "/".join(way) in self._found
            for end in (len(way),) if whole else range(1, len(way) + 1):
                path = "/".join(way[:end])
                if path in self._differing:
                    raise GeneratorError(
                        f"{entry.source}: C:/{path}, on the way to the link's target, is not the same in all layers; "
                        "hint: give one of the sources another DEST"
                    )
                is_directory, target = self._found.get(path, (False, ""))
                if target:
                    here = _meant(way[: end - 1], fold(target))
                    way = None if here is None else here + way[end:]
                    break
                if not is_directory:
                    return False if end == len(way) and path in self._found else None
            else:
                return True
        return None


def _meant(folder: list[str], target: str) -> list[str] | None:
    r"""Return the parts of the path below C: that *target*, of a link in *folder*, names; None for another place.

    A target is absolute behind ``C:`` or ``\\?\C:``, begins at the root of C: behind one slash, and names another
    computer or a device behind two: github.com/microsoft/go-winio reparse.go. Windows resolves ``..`` in the text.
    """
    text = target.replace("\\", "/")
    if text.startswith("//?/"):
        text = text[4:]
        if text[1:2] != ":":
            return None
    if text.startswith("//") or (text[1:2] == ":" and text[0] != "C"):
        return None
    is_absolute = text.startswith("/") or text[1:2] == ":"
    way = [] if is_absolute else folder.copy()
    for part in text.removeprefix("C:").split("/"):
        if part == "..":
            if not way:
                return None
            way.pop()
        elif part not in {"", "."}:
            way.append(part)
    return way


def _base_entries(tar: bytes) -> Iterator[SourceEntry]:
    """Yield the entries below C: in the tar of a base layer."""
    start = f"{facts().users_root}/"
    for entry in TarReader(io.BytesIO(tar)):
        if entry.name.startswith(start):
            path = entry.name.removeprefix(start).rstrip("/")
            yield SourceEntry(path, "directory" if entry.kind == DIRECTORY else "file")
