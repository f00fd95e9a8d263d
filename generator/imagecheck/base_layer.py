# SPDX-License-Identifier: Apache-2.0
"""What Windows asks of hives: those of a base layer and its BCD store, and what a layer on top changes in them."""

import posixpath
from collections.abc import Callable
from typing import Final

from ..base.errors import brief
from ..hives import reader
from ..hives.rules import Level
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, TarEntry
from ..oci.names import fold
from .records import Tell
from .tree import FILES, HIVES, UTILITY_VM
from .utility import UTILITY_FILES

CONFIG: Final = f"{FILES}/Windows/System32/config"
HIVE_FILES: Final = tuple(f"{CONFIG}/{name}" for name in ("DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"))
BCD: Final = f"{UTILITY_FILES}/EFI/Microsoft/Boot/BCD"
_FOLDED: Final = {fold(path): path for path in (*HIVE_FILES, BCD)}
_ON_TOP: Final = frozenset(map(fold, HIVE_FILES))
_DELTAS: Final = fold(f"{HIVES}/")
_DELTA: Final = fold("_Delta")
_MAX_HIVE: Final = 1 << 28  # bytes; SOFTWARE of a whole Windows is a third of it


class Base:
    """What has been seen of a base layer."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._utility = False

    def add(self, entry: TarEntry, path: str, read: Callable[[], bytes], tell: Tell) -> None:
        """Look at an entry; *path* is its name without slashes at the end, and *read* gives its data in pieces."""
        _check_other(fold(path), entry, tell)
        if entry.kind == DIRECTORY:
            self._utility |= path == UTILITY_FILES
            if entry.name != path and path in {UTILITY_VM, UTILITY_FILES}:
                tell("base-slash", f"the name is {brief(entry.name)}")
            return
        wanted = _FOLDED.get(fold(path))
        linked = entry.kind == HARD_LINK and fold(posixpath.normpath(entry.target)) in _FOLDED
        if linked or (wanted is not None and entry.kind != FILE):
            tell("hive-linked", f"it is a link to {brief(entry.target)}")
        elif wanted == path:
            self._seen.add(path)
            if wrong := _hive(entry.size, read):
                tell("hive", wrong)

    def end(self, tell: Tell) -> None:
        """Tell of what the layer lacks."""
        if lacking := [posixpath.basename(path) for path in HIVE_FILES if path not in self._seen]:
            tell("hive-missing", f"{CONFIG} has no {', '.join(lacking)}")
        if self._utility and BCD not in self._seen:
            tell("utility-vm", f"there is {UTILITY_FILES} and no {BCD}")


def check_on_top(entry: TarEntry, path: str, read: Callable[[], bytes], tell: Tell) -> None:
    """Look at an entry of a layer on top, as Base.add does: is it a hive of changes, or in the place of a hive?

    Windows merges ``Hives/System_Delta`` and the like with the hives of the layer below: hcsshim's
    internal/wclayer/cim/registry.go loads both.
    """
    folded = fold(path)
    if _check_other(folded, entry, tell):
        if entry.kind != FILE:
            tell("hive-delta", f"it is a link to {brief(entry.target)}")
        elif wrong := _hive(entry.size, read):
            tell("hive-delta", wrong)
    elif folded in _ON_TOP and entry.kind != DIRECTORY:
        if entry.kind == HARD_LINK:
            tell("hive-linked", f"it is a link to {brief(entry.target)}")
        tell("hive-on-top", f"{posixpath.basename(path)} is in the place of a base layer's hive")


def _check_other(folded: str, entry: TarEntry, tell: Tell) -> bool:
    """Return whether an entry is a hive of changes; tell of what else is below Hives."""
    if not folded.startswith(_DELTAS):
        return False
    if entry.kind != DIRECTORY and "/" not in folded.removeprefix(_DELTAS) and folded.endswith(_DELTA):
        return True
    tell("hives-other", f"Windows does not read it from {HIVES}")
    return False


def _hive(size: int, read: Callable[[], bytes]) -> str | None:
    """Return what is wrong with a hive that comes without its log, or None."""
    if size == 0:
        return "the hive is empty, on which Windows can build nothing (0x3f1)"
    if size > _MAX_HIVE:
        return f"{size:,} bytes are more than the {_MAX_HIVE:,} that a layer's hive can have"
    data = b"".join(iter(read, b""))
    found = reader.read(data).findings
    worst = next((each for level in (Level.REFUSED, Level.DIRTY) for each in found if each.level == level), None)
    return f"the hive is {worst.level}: {worst.message}" if worst else None
