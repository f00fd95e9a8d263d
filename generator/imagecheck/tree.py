# SPDX-License-Identifier: Apache-2.0
"""Check a layer's paths in their order: each is new, its name is valid, and its directory comes before it.

UtilityVM in a layer on top is a Clone: hcsshim changes a copy of the one below (internal/wclayer/legacy.go).
"""

from collections.abc import Sequence

from ..base.errors import brief
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK, TarEntry
from ..oci.files import facts
from ..oci.names import MOST_CHARACTERS, MOST_ENTRIES, MOST_PATH, PLACEHOLDER, fold, units, wrong
from .records import EntryFault, attributes, has_security_or_xattrs

WHITEOUT = "whiteout"  # the kind of a path that the layer removes
ROOTS = HIVES, FILES, UTILITY_VM = (facts().hives_root, facts().users_root, "UtilityVM")
"""Top directories of a layer; a layer on top must have the first two."""

UTILITY_FILES = f"{UTILITY_VM}/{FILES}"
_ON_TOP = "utility-vm-on-top"  # the rule
_TWICE = fold(f"{FILES}/{FILES}")
_DEEPEST = 64  # levels of directories checked in a utility VM; Windows' has 12
_OPAQUE = ".wh..opq"  # an opaque directory's name on Linux, without the prefix


class TooManyError(Exception):
    """A layer has too many entries, or too long names."""


class Tree:
    """The paths of a layer; *base* if it has no layer below."""

    def __init__(self, base: bool) -> None:
        self._base = base
        self._found: dict[str, tuple[str, str]] = {}  # by folded path: the path and its kind
        self._names: dict[str, int] = {}  # of each file that has hard links, the number of its names
        self._links: set[str] = set()  # folded paths of symbolic links to directories
        self._filled: set[str] = set()  # folded paths of directories in UtilityVM that are not empty
        self._room = MOST_CHARACTERS
        self._last = ""
        self.has_utility_vm = self._removes_in_vm = False

    def __len__(self) -> int:
        return len(self._found)

    def kind(self, path: str) -> str | None:
        """Return the kind of *path* in any case, or None."""
        found = self._found.get(fold(path))
        return found[1] if found else None

    def is_directory_link(self, path: str) -> bool | None:
        """Return whether the symbolic link at *path* is one to a directory, or None if that is not recorded."""
        return None if self._base or self._in_clone(path) else fold(path) in self._links

    def spelled(self, path: str) -> bool:
        """Return whether the layer has *path* in just this case."""
        return self._found.get(fold(path), ("",))[0] == path

    def add(self, entry: TarEntry, path: str, fault: EntryFault) -> bool:
        """Add an entry and report its faults; *path* is its name without trailing slashes.

        Returns False for whiteouts and alternate data streams.
        """
        parent, slash, part = path.rpartition("/")
        removes = part.startswith(facts().whiteout)
        kind = WHITEOUT if removes else entry.kind
        is_folder = is_directory(entry) and not removes
        self._room -= len(path)
        if self._room < 0 or len(self._found) >= MOST_ENTRIES:
            raise TooManyError
        if self._is_stream(entry, path, fault):
            return False
        if removes:
            part = part.removeprefix(facts().whiteout)
            path = f"{parent}{slash}{part}"
            self._check_whiteout(entry, parent, part, fault)
        if path.partition("/")[0] not in ROOTS:
            fault("root", f"{brief(path)} is outside of {', '.join(ROOTS)}")
        elif kind not in {DIRECTORY, WHITEOUT} and path in ROOTS and not self._in_clone(path):
            fault("root", f"{path} is not a directory")
        else:
            self._check_name(parent, part, path, fault)
            if slash and not removes:
                self._check_parent(parent, fault)
                self._check_special(path, kind, is_folder, fault)
        folded = fold(path)
        here = self._found.get(folded)
        if here is None:
            self._found[folded] = (path, kind)
        elif WHITEOUT in {kind, here[1]} and kind != here[1]:
            fault("whiteout", f"the layer both removes and has {brief(here[0])}")
        elif not self._in_clone(path):
            fault("repeated" if here[0] == path else "case", f"{brief(here[0])} is in the layer already")
        self._last = entry.name if kind in {FILE, DIRECTORY, SYMBOLIC_LINK} else ""
        return not removes

    def hides(self, path: str) -> bool:
        """Return whether the layer removes a parent directory of *path* in UtilityVM."""
        at = path.find("/")
        for _ in range(_DEEPEST if self._removes_in_vm else 0):
            if at < 0 or self.kind(path[:at]) == WHITEOUT:
                return at >= 0
            at = path.find("/", at + 1)
        return False

    def is_filled(self, path: str) -> bool:
        """Return whether the layer has entries in the directory *path* of UtilityVM."""
        return fold(path) in self._filled

    def names(self, target: str) -> int:
        """Count one more name of the file at *target*, and return their number."""
        self._names[target] = self._names.get(target, 1) + 1
        return self._names[target]

    def _is_stream(self, entry: TarEntry, path: str, fault: EntryFault) -> bool:
        """Return whether the entry is an alternate data stream of the file right before it."""
        if entry.kind == FILE and self._last and path.startswith(f"{self._last}:"):
            stream = path.removeprefix(f"{self._last}:").removesuffix(":$DATA")
            if not stream or set("/\\:").intersection(stream):
                fault("name", f"{brief(stream)} is not a valid name of a stream")
            fault("stream", f"it is a stream of {brief(self._last)}")
            return True
        return False

    def _check_name(self, parent: str, part: str, path: str, fault: EntryFault) -> None:
        known = self._found.get(fold(parent))
        parts = [part] if known and known[0] == parent else path.split("/")
        reason = next(filter(None, map(wrong, parts)), None)
        if reason:
            fault("name", reason)
        elif len(path) > MOST_PATH // 2 and units(path) > MOST_PATH:
            fault("name", f"the path is longer than {MOST_PATH:,} UTF-16 units")

    def _check_parent(self, parent: str, fault: EntryFault) -> None:
        folded = fold(parent)
        known = self._found.get(folded)
        if known is None:
            self._found[folded] = (parent, DIRECTORY)  # report it once
            if not self._in_clone(parent):
                fault("parent", f"{brief(parent)} is missing, or comes later")
        elif known[1] == WHITEOUT:
            fault("whiteout", f"the layer removes {brief(known[0])}, and has entries in it")
        elif known[1] != DIRECTORY:
            fault("parent", f"{brief(known[0])} is not a directory")
        elif known[0] != parent:
            fault("case", f"{brief(parent)} is {brief(known[0])} before")

    def _check_special(self, path: str, kind: str, is_folder: bool, fault: EntryFault) -> None:
        """Check a new path for names that importers treat specially."""
        folded = fold(path)
        if path.startswith(f"{UTILITY_VM}/"):
            self.has_utility_vm = True
            self._filled.add(folded.rpartition("/")[0])
        elif not self._base:
            self._check_placeholder(path, folded, kind, is_folder, fault)
        if folded == _TWICE:
            fault("files-twice", f"{brief(path)} is C:\\{FILES} in a container")

    def _check_placeholder(self, path: str, folded: str, kind: str, is_folder: bool, fault: EntryFault) -> None:
        mark = fold(PLACEHOLDER)
        if is_folder:
            if kind == SYMBOLIC_LINK:
                self._links.add(folded)
            own = units(path.rpartition("/")[2]) + len(mark)
            if own > facts().limits.part or (len(path) > MOST_PATH // 3 and units(path) + len(mark) > MOST_PATH):
                fault("name", f"the name is too long with the {PLACEHOLDER} that Windows appends")
            elif self._found.get(folded + mark, ("", WHITEOUT))[1] not in {WHITEOUT, HARD_LINK}:
                fault("placeholder", f"{brief(path + PLACEHOLDER)} is in the layer already")
        if folded.endswith(mark) and kind != HARD_LINK:
            owner = folded.removesuffix(mark)
            if owner in self._links or self._found.get(owner, ("", ""))[1] == DIRECTORY:
                fault("placeholder", f"the directory {brief(path[: -len(mark)])} is in the layer already")
            else:
                fault("placeholder-name", f"the name ends in {PLACEHOLDER}")

    def _check_whiteout(self, entry: TarEntry, parent: str, part: str, fault: EntryFault) -> None:
        if self._base:
            fault("base-whiteout", f"it removes {brief(part)}")
        elif part == _OPAQUE or not part:
            fault("whiteout", "it hides a whole directory, which Windows cannot do")
        elif not (f"{parent}/".startswith((f"{FILES}/", f"{UTILITY_FILES}/"))):
            fault("whiteout", f"it removes something outside of {FILES}")
        elif entry.name.endswith("/"):
            fault("whiteout", f"its name ends in a slash, so that Windows removes {brief(part)} in it")
        elif parent.startswith(UTILITY_VM):
            self.has_utility_vm = self._removes_in_vm = True

    def _in_clone(self, path: str) -> bool:
        """Return whether *path* is in the utility VM of a layer on top, which starts as a copy of the one below."""
        return not self._base and f"{path}/".startswith(f"{UTILITY_VM}/")


def is_directory(entry: TarEntry) -> bool:
    """Return whether Windows makes a directory of an entry; it does so for a symbolic link with that attribute."""
    if entry.kind != SYMBOLIC_LINK:
        return entry.kind == DIRECTORY
    return bool((attributes(entry) or 0) & facts().attributes.directory)


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
            fault(_ON_TOP, f"{brief(path)} is outside of {UTILITY_FILES}")
        elif not self.made:
            fault(_ON_TOP, f"{UTILITY_VM} does not come before it")
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
            fault(_ON_TOP, f"the name is {brief(entry.name)}")
        elif entry.kind != DIRECTORY:
            fault(_ON_TOP, f"{UTILITY_VM} is not a directory")
        elif has_security_or_xattrs(entry):
            fault(_ON_TOP, f"{UTILITY_VM} has a security descriptor or extended attributes, which hcsshim refuses")
        self._make(fault)

    def _make(self, fault: EntryFault) -> None:
        below = self._below[-1]
        lacks = below is not None and not (below.has_utility_vm and self.kind(UTILITY_FILES) in {DIRECTORY, ""})
        if lacks and not self.made:
            fault(_ON_TOP, f"the layer below has no {UTILITY_FILES} to copy")
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
