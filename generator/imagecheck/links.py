# SPDX-License-Identifier: Apache-2.0
"""Check that the targets of links in a layer exist and can be stored on Windows."""

import posixpath
from collections.abc import Sequence

from ..base.errors import brief, brief_path
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK, TarEntry
from ..oci.files import facts
from ..oci.names import fold, units
from .records import EntryFault
from .tree import FILES, UTILITY_VM, WHITEOUT, Clone, Tree

_FILE_KINDS = frozenset({FILE, HARD_LINK})


def check_hard(
    entry: TarEntry, tree: Tree, below: Sequence[Tree | None], clone: Clone | None, fault: EntryFault
) -> None:
    """Check that a hard link's target comes before it in the layer, or is in a layer *below*; None is an unknown one.

    A layer on top has a *clone*, which may hold targets in UtilityVM.
    """
    part = entry.name.rpartition("/")[2]
    if wrong := _wrong_target(entry, tree, below, clone):
        fault("link-target", wrong)
    elif units(part) == 1:
        fault("link-name", f"the name of the hard link is {brief(part)}")


def _wrong_target(entry: TarEntry, tree: Tree, below: Sequence[Tree | None], clone: Clone | None) -> str:
    """Return the fault of a hard link's target, or an empty string."""
    target = posixpath.normpath(entry.target)
    kept = (f"{FILES}/", f"{UTILITY_VM}/{FILES}/")
    here = tree.kind(target) in _FILE_KINDS and (clone is None or tree.spelled(target))
    itself, wrong = fold(target) == fold(entry.name), ""
    if clone is not None and not (target.startswith(kept) and entry.name.startswith(kept)):
        wrong = f"the hard link leads to {brief_path(entry.target)}; both must be below {FILES}"
    elif target != entry.target:
        wrong = f"the hard link leads to {brief_path(entry.target)}; allowed: {brief_path(target)}"
    elif here and not itself:
        if tree.names(target) > facts().limits.names:
            wrong = f"{brief(target)} has more than {facts().limits.names:,} names"
    elif clone is not None and target.startswith(UTILITY_VM):
        if itself or not clone.made or clone.kind(target) not in {*_FILE_KINDS, ""}:
            wrong = f"the target {brief(target)} of a hard link in the utility VM is missing"
    elif not any(layer is None or layer.kind(target) in _FILE_KINDS for layer in below):
        wrong = f"the target {brief(target)} of the hard link is not a file before it"
    return wrong


def check_symbolic(
    entry: TarEntry, path: str, attributes: int, tree: Tree, below: Sequence[Tree | None], fault: EntryFault
) -> None:
    """Check that Windows can store a symbolic link's target, and that its kind is the link's."""
    limits, names = facts().limits, facts().names
    if not entry.target or units(entry.target) > limits.target:
        fault("link-target", f"the target has {units(entry.target):,} UTF-16 units, of {limits.target:,} at most")
        return
    if bad := set(names.target_characters).intersection(entry.target):
        fault("link-target", f"the target {brief_path(entry.target)} has {brief(min(bad))}")
        return
    target = entry.target.replace("\\", "/")
    known = [tree, *(layer for layer in reversed(below) if layer is not None)]
    folder = posixpath.dirname(path)
    is_known, leads = _leads_to_directory(target, folder, known)
    rest = target.removeprefix(f"{FILES}/")
    others = (rest, f"/{rest}") if rest != target and not is_known else ()
    if any(_leads_to_directory(each, folder, known)[0] for each in others):
        meant = brief(posixpath.normpath(posixpath.join(folder, rest)))
        wrong = f"where {meant} is meant: {FILES} is not a folder of Windows"
        fault("link-target", f"the target is {brief_path(entry.target)}, {wrong}")
    elif leads is not None and leads != bool(attributes & facts().attributes.directory):
        found = "a directory" if leads else "no directory"
        fault(
            "link-kind", f"the target {brief_path(entry.target)} is {found}, and the link's attributes are {attributes}"
        )


def _leads_to_directory(target: str, folder: str, known: Sequence[Tree]) -> tuple[bool, bool | None]:
    """Return whether a link's *target* is in the image, and whether it is a directory or a link to one if known.

    *known* holds the layers, the topmost first.
    """
    on_drive = fold(target[:2]) == "C:"
    if target.startswith("//") or (target[1:2] == ":" and not on_drive):
        return False, None  # another computer, drive or device
    way = [FILES] if target.startswith("/") or on_drive else folder.split("/")
    for part in target[2 * on_drive :].split("/"):
        if part == ".." and len(way) == 1:
            return False, None  # it leads above C:
        if part == "..":
            way.pop()
        elif part not in {"", "."}:
            way.append(part)
    path = "/".join(way)
    layer = next((layer for layer in known if layer.kind(path)), None)
    kind = layer.kind(path) if layer else None
    if layer is None or kind == WHITEOUT:
        return False, None
    return True, layer.is_directory_link(path) if kind == SYMBOLIC_LINK else kind == DIRECTORY
