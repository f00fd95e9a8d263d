# SPDX-License-Identifier: Apache-2.0
"""The paths of a layer as Windows would make them, one after the other: is each new, and is its directory there?"""

from ..base.errors import brief
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, SYMBOLIC_LINK, TarEntry
from ..oci.files import facts
from ..oci.names import MOST_CHARACTERS, MOST_ENTRIES, MOST_PATH, PLACEHOLDER, fold, units
from .names import wrong
from .records import Tell, attributes

WHITEOUT = "whiteout"  # the kind of an entry that removes something
ROOTS = HIVES, FILES, UTILITY_VM = (*facts().roots, "UtilityVM")
"""The directories in which everything is; the first two are those that a layer on top has."""

_TWICE = fold(f"{FILES}/{FILES}")
_DEEPEST = 64  # directories on the way to a file of a utility VM that are looked at; Windows' has 12
_OPAQUE = ".wh..opq"  # behind the mark: what Linux has for a directory that hides all below it


class TooManyError(Exception):
    """A layer has more entries, or longer names, than any layer needs."""


class Tree:
    """The paths of a layer; *base* where there is no layer below it."""

    def __init__(self, base: bool) -> None:
        self._base = base
        self._found: dict[str, tuple[str, str]] = {}  # by folded path: the path, and the kind of what is there
        self._names: dict[str, int] = {}  # of each file that has hard links, how many it has
        self._links: set[str] = set()  # folded paths of symbolic links to directories
        self._filled: set[str] = set()  # folded paths of directories in UtilityVM that have something in them
        self._room = MOST_CHARACTERS
        self._last = ""
        self.has_utility_vm = self._removes_in_vm = False

    def __len__(self) -> int:
        """Return how many paths there are."""
        return len(self._found)

    def kind(self, path: str) -> str | None:
        """Return what is at *path*, however that is spelled, or None."""
        found = self._found.get(fold(path))
        return found[1] if found else None

    def is_directory_link(self, path: str) -> bool | None:
        """Return whether the symbolic link at *path* is one to a directory, or None if that is not recorded."""
        return None if self._base or self._in_clone(path) else fold(path) in self._links

    def spelled(self, path: str) -> bool:
        """Tell whether there is a path spelled so."""
        return self._found.get(fold(path), ("",))[0] == path

    def add(self, entry: TarEntry, path: str, tell: Tell) -> bool:
        """Add an entry, whose *path* is its name without slashes at the end; tell of what is wrong about it.

        Returns whether it is one that makes something of its own, as whiteouts and streams do not.
        """
        parent, slash, part = path.rpartition("/")
        removes = part.startswith(facts().whiteout)
        kind = WHITEOUT if removes else entry.kind
        is_folder = is_directory(entry) and not removes
        self._room -= len(path)
        if self._room < 0 or len(self._found) >= MOST_ENTRIES:
            raise TooManyError
        if self._is_stream(entry, path, tell):
            return False
        if removes:
            part = part.removeprefix(facts().whiteout)
            path = f"{parent}{slash}{part}"
            self._check_whiteout(entry, parent, part, tell)
        if path.partition("/")[0] not in ROOTS:
            tell("root", f"{brief(path)} is outside of {', '.join(ROOTS)}")
        elif kind not in {DIRECTORY, WHITEOUT} and path in ROOTS and not self._in_clone(path):
            tell("root", f"{path} is no directory")
        else:
            self._check_name(parent, part, path, tell)
            if slash and not removes:
                self._check_parent(parent, tell)
                self._check_special(path, kind, is_folder, tell)
        folded = fold(path)
        here = self._found.get(folded)
        if here is None:
            self._found[folded] = (path, kind)
        elif WHITEOUT in {kind, here[1]} and kind != here[1]:
            tell("whiteout", f"the layer both removes and holds {brief(here[0])}")
        elif not self._in_clone(path):
            tell("repeated" if here[0] == path else "case", f"{brief(here[0])} is in the layer already")
        self._last = entry.name if kind in {FILE, DIRECTORY, SYMBOLIC_LINK} else ""
        return not removes

    def hides(self, path: str) -> bool:
        """Return whether the layer removes a directory on the way to *path* in UtilityVM."""
        at = path.find("/")
        for _ in range(_DEEPEST if self._removes_in_vm else 0):
            if at < 0 or self.kind(path[:at]) == WHITEOUT:
                return at >= 0
            at = path.find("/", at + 1)
        return False

    def is_filled(self, path: str) -> bool:
        """Return whether the layer has something in the directory *path* of UtilityVM."""
        return fold(path) in self._filled

    def names(self, target: str) -> int:
        """Count one more name of the file at *target*, and return how many it has now."""
        self._names[target] = self._names.get(target, 1) + 1
        return self._names[target]

    def _is_stream(self, entry: TarEntry, path: str, tell: Tell) -> bool:
        """Tell whether the entry is one more stream of the file right before it, as Windows writes them."""
        if entry.kind == FILE and self._last and path.startswith(f"{self._last}:"):
            stream = path.removeprefix(f"{self._last}:").removesuffix(":$DATA")
            if not stream or set("/\\:").intersection(stream):
                tell("name", f"{brief(stream)} is no name of a stream")
            tell("stream", f"it is a stream of {brief(self._last)}")
            return True
        return False

    def _check_name(self, parent: str, part: str, path: str, tell: Tell) -> None:
        known = self._found.get(fold(parent))
        parts = [part] if known and known[0] == parent else path.split("/")
        reason = next(filter(None, map(wrong, parts)), None)
        if reason:
            tell("name", reason)
        elif len(path) > MOST_PATH // 2 and units(path) > MOST_PATH:
            tell("name", f"the path is longer than {MOST_PATH:,} UTF-16 units")

    def _check_parent(self, parent: str, tell: Tell) -> None:
        folded = fold(parent)
        known = self._found.get(folded)
        if known is None:
            self._found[folded] = (parent, DIRECTORY)  # so that it is told once
            if not self._in_clone(parent):
                tell("parent", f"{brief(parent)} is not in the layer, or comes later")
        elif known[1] == WHITEOUT:
            tell("whiteout", f"the layer removes {brief(known[0])}, and holds something in it")
        elif known[1] != DIRECTORY:
            tell("parent", f"{brief(known[0])} is no directory")
        elif known[0] != parent:
            tell("case", f"{brief(parent)} is spelled {brief(known[0])} before")

    def _check_special(self, path: str, kind: str, is_folder: bool, tell: Tell) -> None:
        """Check what is new in a directory for names that importers read otherwise."""
        folded = fold(path)
        if path.startswith(f"{UTILITY_VM}/"):
            self.has_utility_vm = True
            self._filled.add(folded.rpartition("/")[0])
        elif not self._base:
            self._check_placeholder(path, folded, kind, is_folder, tell)
        if folded == _TWICE:
            tell("files-twice", f"{brief(path)} is C:\\{FILES} in a container")

    def _check_placeholder(self, path: str, folded: str, kind: str, is_folder: bool, tell: Tell) -> None:
        mark = fold(PLACEHOLDER)
        if is_folder:
            if kind == SYMBOLIC_LINK:
                self._links.add(folded)
            own = units(path.rpartition("/")[2]) + len(mark)
            if own > facts().limits.part or (len(path) > MOST_PATH // 3 and units(path) + len(mark) > MOST_PATH):
                tell("name", f"with {PLACEHOLDER} behind it, as Windows imports a directory, the name is too long")
            elif self._found.get(folded + mark, ("", WHITEOUT))[1] not in {WHITEOUT, HARD_LINK}:
                tell("placeholder", f"{brief(path + PLACEHOLDER)} is in the layer already")
        if folded.endswith(mark) and kind != HARD_LINK:
            owner = folded.removesuffix(mark)
            if owner in self._links or self._found.get(owner, ("", ""))[1] == DIRECTORY:
                tell("placeholder", f"the directory {brief(path[: -len(mark)])} is in the layer already")
            else:
                tell("placeholder-name", f"the name ends in {PLACEHOLDER}")

    def _check_whiteout(self, entry: TarEntry, parent: str, part: str, tell: Tell) -> None:
        if self._base:
            tell("base-whiteout", f"it removes {brief(part)}")
        elif part == _OPAQUE or not part:
            tell("whiteout", "it hides a whole directory, for which Windows has no form")
        elif not (f"{parent}/".startswith((f"{FILES}/", f"{UTILITY_VM}/{FILES}/"))):
            tell("whiteout", f"it removes something outside of {FILES}")
        elif entry.name.endswith("/"):
            tell("whiteout", f"its name ends in a slash, for which Windows removes {brief(part)} in it")
        elif parent.startswith(UTILITY_VM):
            self.has_utility_vm = self._removes_in_vm = True

    def _in_clone(self, path: str) -> bool:
        """Tell whether *path* is in the utility VM of a layer on top, which starts as a copy of the one below."""
        return not self._base and f"{path}/".startswith(f"{UTILITY_VM}/")


def is_directory(entry: TarEntry) -> bool:
    """Return whether Windows makes a directory of an entry, as it does of a symbolic link to one."""
    if entry.kind != SYMBOLIC_LINK:
        return entry.kind == DIRECTORY
    return bool((attributes(entry) or 0) & facts().attributes.directory)


KINDS = frozenset({FILE, DIRECTORY, HARD_LINK, SYMBOLIC_LINK})
