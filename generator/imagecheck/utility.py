# SPDX-License-Identifier: Apache-2.0
"""Check UtilityVM in a layer on top; hcsshim changes a copy of the one below (internal/wclayer/legacy.go)."""

from collections.abc import Sequence
from typing import Final

from ..base.errors import brief
from ..imageread.untar import DIRECTORY, TarEntry
from ..oci.files import facts
from .records import EntryFault, has_security_or_xattrs
from .tree import FILES, UTILITY_VM, WHITEOUT, Tree

UTILITY_FILES: Final = f"{UTILITY_VM}/{FILES}"
_RULE: Final = "utility-vm-on-top"


class Clone:
    """The utility VM of a layer with the paths *tree* on the layers *below*; None is an unknown layer.

    *made* is true after the layer's first entry for it.
    """

    def __init__(self, tree: Tree, below: Sequence[Tree | None]) -> None:
        self._tree = tree
        self._below = below
        self._removed = False
        self._lacking = False  # the layer below has no UtilityVM; reported
        self.made = False

    def add(self, entry: TarEntry, path: str, fault: EntryFault) -> None:
        """Check an entry in UtilityVM before it is added to the tree; *path* is its name without trailing slashes."""
        parent, _, part = path.rpartition("/")
        mark = facts().whiteout
        if path == UTILITY_VM:
            self._add_top(entry, fault)
        elif part.startswith(mark):
            if parent == UTILITY_FILES or parent.startswith(f"{UTILITY_FILES}/"):  # else Tree reports it
                self._remove(f"{parent}/{part.removeprefix(mark)}", fault)
        elif not f"{path}/".startswith(f"{UTILITY_FILES}/"):
            fault(_RULE, f"{brief(path)} is outside of {UTILITY_FILES}")
        elif not self.made:
            fault(_RULE, f"{UTILITY_VM} does not come before it")
            self.made = True  # report it once
        elif not self._lacking:
            self._place(entry, path, parent, fault)

    def kind(self, path: str) -> str | None:
        """Return the kind of *path* in any case; None if it is missing, "" if unknown."""
        for tree in (self._tree, *reversed(self._below)):
            if tree is None:
                return ""
            if found := tree.kind(path):
                return None if found == WHITEOUT else found
            if tree.hides(path):
                return None
        return None

    def _add_top(self, entry: TarEntry, fault: EntryFault) -> None:
        if entry.name != UTILITY_VM:
            fault(_RULE, f"the name is {brief(entry.name)}")
        elif entry.kind != DIRECTORY:
            fault(_RULE, f"{UTILITY_VM} is not a directory")
        elif has_security_or_xattrs(entry):
            fault(_RULE, f"{UTILITY_VM} has a security descriptor or extended attributes, which hcsshim refuses")
        self._make(fault)

    def _make(self, fault: EntryFault) -> None:
        below = self._below[-1]
        lacks = below is not None and not (below.has_utility_vm and self.kind(UTILITY_FILES) in {DIRECTORY, ""})
        if lacks and not self.made:
            fault(_RULE, f"the layer below has no {UTILITY_FILES} to copy")
            self._lacking = True
        self.made = True

    def _remove(self, path: str, fault: EntryFault) -> None:
        self._make(fault)
        self._removed = True
        if self.kind(path) is None and not self._lacking:
            fault("whiteout", f"it removes {brief(path)}, which no layer below has")

    def _place(self, entry: TarEntry, path: str, parent: str, fault: EntryFault) -> None:
        if path != UTILITY_FILES and self.kind(parent) not in {DIRECTORY, ""}:
            fault("parent", f"the directory {brief(parent)} is missing, here and below")
        elif entry.kind != DIRECTORY and not self._removed and self.kind(path) == DIRECTORY:
            known = [self._tree, *(tree for tree in self._below if tree is not None)]
            if any(tree.is_filled(path) for tree in known):
                fault("repeated", f"the layers below have a directory {brief(path)}, which is not empty")
