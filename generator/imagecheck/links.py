# SPDX-License-Identifier: Apache-2.0
"""Links in a layer: does each lead on Windows where it says?"""

import posixpath
from collections.abc import Sequence

from ..base.errors import brief
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, TarEntry
from ..oci.files import facts
from .names import fold, units
from .records import Tell
from .tree import FILES, UTILITY_VM, Tree
from .utility import Clone

_FILE_KINDS = frozenset({FILE, HARD_LINK})


def check_hard(entry: TarEntry, tree: Tree, below: Sequence[Tree | None], clone: Clone | None, tell: Tell) -> None:
    """Tell whether a hard link's target is in the layer before it, or in one *below*; None is one that is not known.

    A layer on top has a *clone*, which may have targets in UtilityVM.
    """
    part = entry.name.rpartition("/")[2]
    if wrong := _wrong_target(entry, tree, below, clone):
        tell("link-target", wrong)
    elif units(part) == 1:
        tell("link-name", f"the name of the hard link is {brief(part)}")


def _wrong_target(entry: TarEntry, tree: Tree, below: Sequence[Tree | None], clone: Clone | None) -> str | None:
    """Return what is wrong with a hard link's target, or None."""
    target = posixpath.normpath(entry.target)
    kept = (f"{FILES}/", f"{UTILITY_VM}/{FILES}/")
    here = tree.kind(target) in _FILE_KINDS and (clone is None or tree.spelled(target))
    itself = fold(target) == fold(entry.name)
    if clone is not None and not (target.startswith(kept) and entry.name.startswith(kept)):
        wrong = f"a hard link leads to {brief(entry.target)}: both are below {FILES}"
    elif target != entry.target:
        wrong = f"a hard link leads to {brief(entry.target)}, where {brief(target)} is meant"
    elif here and not itself:
        many = tree.names(target) > facts().limits.names
        wrong = f"{brief(target)} has more than {facts().limits.names:,} names" if many else ""
    elif clone is not None and target.startswith(UTILITY_VM):
        there = clone.made and not itself and clone.kind(target) in {*_FILE_KINDS, ""}
        wrong = "" if there else f"there is no file {brief(target)} for a hard link in the utility VM"
    elif not any(layer is None or layer.kind(target) in _FILE_KINDS for layer in below):
        wrong = f"there is no file {brief(target)} for a hard link before it"
    else:
        wrong = ""
    return wrong or None


def check_symbolic(
    entry: TarEntry, path: str, attributes: int, tree: Tree, below: Sequence[Tree | None], tell: Tell
) -> None:
    """Tell whether a symbolic link's target is one that Windows can hold, and of the kind that the link is of."""
    limits, names = facts().limits, facts().names
    if not entry.target or units(entry.target) > limits.target:
        tell("link-target", f"the target has {units(entry.target):,} UTF-16 units, of {limits.target:,} at most")
        return
    if bad := set(names.target_characters).intersection(entry.target):
        tell("link-target", f"the target {brief(entry.target)} has {brief(min(bad))}")
        return
    target = entry.target.replace("\\", "/")
    known = [tree, *(layer for layer in below if layer is not None)]
    folder = posixpath.dirname(path)
    if f"{target}/".startswith(f"{FILES}/"):
        meant = posixpath.normpath(posixpath.join(folder, target.removeprefix(FILES).lstrip("/")))
        if not any(layer.kind(posixpath.join(folder, target)) for layer in known):
            tell(
                "link-target",
                f"the target is {brief(entry.target)}, where {brief(meant)} is meant: {FILES} is no folder",
            )
            return
    kind = _kind(target, folder, known)
    is_directory = bool(attributes & facts().attributes.directory)
    if kind is not None and (kind == DIRECTORY) != is_directory:
        what = "a directory" if kind == DIRECTORY else "no directory"
        tell("link-kind", f"the target {brief(entry.target)} is {what}, and the link's attributes are {attributes}")


def _kind(target: str, folder: str, known: Sequence[Tree]) -> str | None:
    """Return what is at a link's *target*, if that is in the image."""
    if fold(target[:2]) == "C:":
        path = f"{FILES}/{target[2:].lstrip('/')}"
    elif target.startswith("//"):
        return None  # another computer, or a device
    elif target.startswith("/"):
        path = f"{FILES}{target}"
    else:
        path = posixpath.join(folder, target)
    path = posixpath.normpath(path)
    return next(filter(None, (layer.kind(path) for layer in known)), None)
