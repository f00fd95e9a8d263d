# SPDX-License-Identifier: Apache-2.0
"""UtilityVM in a layer on top: hcsshim copies that of the layer below and changes it (internal/wclayer/legacy.go)."""

from collections.abc import Sequence
from typing import Final

from ..base.errors import brief
from ..imageread.untar import DIRECTORY, TarEntry
from ..oci.files import facts
from .records import Tell, has_security_or_xattrs
from .tree import FILES, UTILITY_VM, WHITEOUT, Tree

UTILITY_FILES: Final = f"{UTILITY_VM}/{FILES}"
_RULE: Final = "utility-vm-on-top"


class Clone:
    """The utility VM of a layer on top with the paths *tree*, which lies on the layers *below*; None is an unknown one.

    *made* is true once the layer has asked for the copy.
    """

    def __init__(self, tree: Tree, below: Sequence[Tree | None]) -> None:
        self._tree = tree
        self._below = below
        self._removed = False
        self._lacking = False  # there is nothing to be copied, as was told
        self.made = False

    def add(self, entry: TarEntry, path: str, tell: Tell) -> None:
        """Check an entry in UtilityVM before the tree has it; *path* is its name without slashes at the end."""
        parent, _, part = path.rpartition("/")
        mark = facts().whiteout
        if path == UTILITY_VM:
            self._add_top(entry, tell)
        elif part.startswith(mark):
            if parent == UTILITY_FILES or parent.startswith(f"{UTILITY_FILES}/"):  # else Tree refuses it
                self._remove(f"{parent}/{part.removeprefix(mark)}", tell)
        elif not f"{path}/".startswith(f"{UTILITY_FILES}/"):
            tell(_RULE, f"{brief(path)} is outside of {UTILITY_FILES}")
        elif not self.made:
            tell(_RULE, f"{UTILITY_VM} does not come before it")
            self.made = True  # so that it is told once
        elif not self._lacking:
            self._place(entry, path, parent, tell)

    def kind(self, path: str) -> str | None:
        """Return the kind of what is at *path*, in whatever case, None if nothing is, "" if it is not known."""
        for tree in (self._tree, *reversed(self._below)):
            if tree is None:
                return ""
            if found := tree.kind(path):
                return None if found == WHITEOUT else found
            if tree.hides(path):
                return None
        return None

    def _add_top(self, entry: TarEntry, tell: Tell) -> None:
        if entry.name != UTILITY_VM:
            tell(_RULE, f"the name is {brief(entry.name)}")
        elif entry.kind != DIRECTORY:
            tell(_RULE, f"{UTILITY_VM} is no directory")
        elif has_security_or_xattrs(entry):
            tell(_RULE, f"{UTILITY_VM} has a security descriptor or extended attributes, which nothing takes there")
        self._make(tell)

    def _make(self, tell: Tell) -> None:
        below = self._below[-1]
        lacks = below is not None and not (below.has_utility_vm and self.kind(UTILITY_FILES) in {DIRECTORY, ""})
        if lacks and not self.made:
            tell(_RULE, f"the layer right below has no {UTILITY_FILES} to be copied")
            self._lacking = True
        self.made = True

    def _remove(self, path: str, tell: Tell) -> None:
        self._make(tell)
        self._removed = True
        if self.kind(path) is None and not self._lacking:
            tell("whiteout", f"there is no {brief(path)} below to be removed")

    def _place(self, entry: TarEntry, path: str, parent: str, tell: Tell) -> None:
        if path != UTILITY_FILES and self.kind(parent) not in {DIRECTORY, ""}:
            tell("parent", f"there is no directory {brief(parent)}, here or below")
        elif entry.kind != DIRECTORY and not self._removed and self.kind(path) == DIRECTORY:
            known = [self._tree, *(tree for tree in self._below if tree is not None)]
            if any(tree.is_filled(path) for tree in known):
                tell("repeated", f"the layers below have a directory {brief(path)}, which is not empty")
