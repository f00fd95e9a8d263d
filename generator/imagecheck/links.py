# SPDX-License-Identifier: Apache-2.0
"""Links in a layer: does each lead on Windows where it says?"""

import posixpath
from collections.abc import Sequence

from ..base.errors import brief
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, Entry
from ..oci.files import facts
from .names import fold, units
from .records import Tell
from .tree import FILES, UTILITY_VM, Tree


def check_hard(entry: Entry, tree: Tree, below: Sequence[Tree | None], tell: Tell) -> None:
    """Tell whether a hard link's target is in the layer before it, or in one *below*; None is one that is not known."""
    target = posixpath.normpath(entry.target)
    kept = (f"{FILES}/", f"{UTILITY_VM}/{FILES}/")
    if not target.startswith(kept) or not entry.name.startswith(kept):
        tell("link-target", f"a hard link leads to {brief(entry.target)}: both are below {FILES}")
    elif target != entry.target:
        tell("link-target", f"a hard link leads to {brief(entry.target)}, where {brief(target)} is meant")
    elif tree.spelled(target) and tree.kind(target) in {FILE, HARD_LINK}:
        if tree.names(target) > facts().limits.names:
            tell("link-target", f"{brief(target)} has more than {facts().limits.names:,} names")
    elif not any(layer is None or layer.kind(target) in {FILE, HARD_LINK} for layer in below):
        tell("link-target", f"there is no file {brief(entry.target)} for a hard link before it")


def check_symbolic(
    entry: Entry, path: str, attributes: int, tree: Tree, below: Sequence[Tree | None], tell: Tell
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
