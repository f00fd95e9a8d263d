# SPDX-License-Identifier: Apache-2.0
"""Select entries of the merged tree by the user's paths, and settle hard links and symlinks among them."""

import posixpath
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..base.errors import GeneratorError, brief_path
from ..imageread.untar import FILE, HARD_LINK, SYMBOLIC_LINK, TarEntry
from ..oci.files import facts
from ..oci.names import fold, wrong
from ..views import entry_path
from ..views.merged import MergedLayer
from ..views.spool import Stored

Lost = Callable[[str, str], None]
"""Callback for an entry that is not written: its path and the reason."""

_FILES = facts().users_root
_ROOTS = (f"UtilityVM/{_FILES}", _FILES)  # of disks in an image
_DEVICE = ("//?/", "/??/", "//./")  # before a drive, in targets of junctions


class Item(NamedTuple):
    """An entry to write: *content* of a file; *target* of a link, a path in the tree for a hard link, relative for a
    symlink.
    """

    entry: TarEntry
    content: Stored | None
    target: str = ""


def selected(layer: MergedLayer, name: str, paths: Sequence[str]) -> tuple[list[TarEntry], list[tuple[str, str]]]:
    """Return the entries at and below *paths*, with their parents, and what was left out there; all without *paths*.

    Raise GeneratorError, which names the image *name*, for a path that is not in the tree.
    """
    if not paths:
        return list(layer.entries), list(layer.left_out)
    places = []
    for path in paths:
        place = entry_path.find(layer, path)
        if place.key is not None:
            raise GeneratorError(f"{name}: {path}: a registry key; hint: winscratch inspect --path, or the hive's path")
        if not place.entries(layer.entries):
            raise entry_path.absent(name, place)
        places.append(fold(place.path.strip("/")))
    parents = {path[:at] for path in places for at in range(len(path)) if path[at] == "/"}
    chosen = [each for each in layer.entries if fold(each.name) in parents or _is_below(each.name, places)]
    return chosen, [each for each in layer.left_out if _is_below(each[0], places)]


def _is_below(name: str, places: Sequence[str]) -> bool:
    folded = fold(name.rstrip("/"))
    return any(not place or folded == place or folded.startswith((f"{place}/", f"{place}:")) for place in places)


def items(layer: MergedLayer, entries: Sequence[TarEntry], lost: Lost) -> Iterator[Item]:
    """Yield what to write for each of *entries*, directories before their content, symlinks last."""
    known = {fold(each.name): each.name for each in layer.entries}
    first: dict[str, str] = {}  # by the path of a file's first name, the first selected one
    links = []
    for entry in entries:
        if entry.kind == SYMBOLIC_LINK:
            links.append(entry)
        elif entry.kind in {FILE, HARD_LINK}:
            own = entry.target if entry.kind == HARD_LINK else entry.name
            target = first.setdefault(own, entry.name)
            content = layer.content(entry)
            if target == entry.name:
                yield Item(entry._replace(kind=FILE, size=len(content), target=""), content)
            else:
                yield Item(entry, content, target)
        else:
            yield Item(entry, None)
    for link in links:
        try:
            yield Item(link, None, _relative(link, known))
        except ValueError as error:
            lost(link.name, str(error))


def _relative(link: TarEntry, known: dict[str, str]) -> str:
    """Return the target of a symlink relative to its directory; raise ValueError if it leads out of the image.

    Only ``..`` at the start remain, which lead through directories of the tree, so no chain of links leads out of it.
    """
    target = link.target.replace("\\", "/")
    if target.startswith(_DEVICE) and target[5:6] == ":":
        target = target[4:]
    elif target.startswith(("//", "/??/")):
        raise ValueError(f"a symlink to another computer or device, {brief_path(link.target)}")
    root = next((root for root in _ROOTS if link.name.startswith(f"{root}/")), "")
    folder = posixpath.dirname(link.name)
    if target[1:2] == ":":
        if fold(target[0]) != "C" or not root:
            raise ValueError(f"a symlink to another drive, {brief_path(link.target)}")
        target = f"/{target[2:]}"
    way = root.split("/") if target.startswith("/") else folder.split("/")
    way = [part for part in way if part]
    for part in target.split("/"):
        if part == ".." and len(way) <= len(root.split("/") if root else ()):
            raise ValueError(f"a symlink above its disk, {brief_path(link.target)}")
        if part == "..":
            way.pop()
        elif part not in {"", "."}:
            if reason := wrong(part):
                raise ValueError(f"a symlink to {brief_path(link.target)}: {reason}")
            way.append(part)
    path = "/".join(way)
    return posixpath.relpath(f"/{known.get(fold(path), path)}", f"/{folder}")
