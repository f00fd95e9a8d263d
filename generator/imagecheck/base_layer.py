# SPDX-License-Identifier: Apache-2.0
"""Check the hives and the BCD store of a base layer, and the delta hives of a layer on top."""

import posixpath
from collections.abc import Callable
from itertools import islice
from typing import Final

from ..base.errors import brief
from ..bcd import decoding
from ..hives import reader
from ..hives.rules import Level
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, TarEntry
from ..oci.names import fold
from .records import EntryFault
from .tree import FILES, HIVES, UTILITY_FILES, UTILITY_VM

CONFIG: Final = f"{FILES}/Windows/System32/config"
HIVE_FILES: Final = tuple(f"{CONFIG}/{name}" for name in ("DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"))
BCD: Final = f"{UTILITY_FILES}/EFI/Microsoft/Boot/BCD"
_FOLDED: Final = {fold(path): path for path in (*HIVE_FILES, BCD)}
_ON_TOP: Final = frozenset(map(fold, HIVE_FILES))
_BELOW_HIVES: Final = fold(f"{HIVES}/")
# All that Windows merges: hcsshim internal/wclayer/cim/common.go, hives. System32/config has more
# hives, such as BBI, COMPONENTS, DRIVERS and ELAM; Windows merges none, and a layer on top replaces them as files.
_DELTAS: Final = frozenset(
    fold(f"{HIVES}/{name}_Delta") for name in ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULTUSER")
)
_MAX_PROBLEMS: Final = 20  # of a BCD store that are reported
_MAX_HIVE: Final = 1 << 28  # bytes, three times SOFTWARE of Windows Server


class BaseLayer:
    """Checks a base layer, entry by entry."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._utility = False

    def add(self, entry: TarEntry, path: str, read: Callable[[], bytes], fault: EntryFault) -> None:
        """Check an entry; *path* is its name without trailing slashes, and *read* returns its data in pieces."""
        _check_other(fold(path), entry, fault)
        if entry.kind == DIRECTORY:
            self._utility |= path == UTILITY_FILES
            if entry.name != path and path in {UTILITY_VM, UTILITY_FILES}:
                fault("base-slash", f"the name is {brief(entry.name)}")
            return
        wanted = _FOLDED.get(fold(path))
        linked = entry.kind == HARD_LINK and fold(posixpath.normpath(entry.target)) in _FOLDED
        if linked or (wanted is not None and entry.kind != FILE):
            fault("hive-linked", f"it is a link to {brief(entry.target)}")
        elif wanted == path:
            self._seen.add(path)
            _check_hive(entry.size, read, "hive", fault, is_store=path == BCD)

    def end(self, fault: EntryFault) -> None:
        """Report missing files."""
        if lacking := [posixpath.basename(path) for path in HIVE_FILES if path not in self._seen]:
            fault("hive-missing", f"{CONFIG} has no {', '.join(lacking)}")
        if self._utility and BCD not in self._seen:
            fault("utility-vm", f"{UTILITY_FILES} has no {BCD}")


def check_on_top(entry: TarEntry, path: str, read: Callable[[], bytes], fault: EntryFault) -> None:
    """Check an entry of a layer on top for a valid delta hive or a replaced hive; arguments as for BaseLayer.add.

    Windows merges ``Hives/System_Delta`` and the other deltas with the hives of the layer below. Source: hcsshim
    internal/wclayer/cim/registry.go.
    """
    folded = fold(path)
    if _check_other(folded, entry, fault):
        if entry.kind != FILE:
            fault("hive-delta", f"it is a link to {brief(entry.target)}")
        else:
            _check_hive(entry.size, read, "hive-delta", fault)
    elif folded in _ON_TOP and entry.kind != DIRECTORY:
        if entry.kind == HARD_LINK:
            fault("hive-linked", f"it is a link to {brief(entry.target)}")
        fault("hive-on-top", f"{posixpath.basename(path)} replaces a hive of the base layer")


def _check_other(folded: str, entry: TarEntry, fault: EntryFault) -> bool:
    """Return whether an entry is a delta hive; report anything else below Hives."""
    if not folded.startswith(_BELOW_HIVES):
        return False
    if entry.kind != DIRECTORY and folded in _DELTAS:
        return True
    fault("hives-other", f"Windows does not read it from {HIVES}")
    return False


def _check_hive(size: int, read: Callable[[], bytes], rule: str, fault: EntryFault, *, is_store: bool = False) -> None:
    """Check a hive of *size* bytes that has no transaction log, by *rule*, and as a BCD store if *is_store*."""
    if size == 0:
        fault(rule, "the hive is empty; layers built on Windows fail to load on it (0x3f1)")
        return
    if size > _MAX_HIVE:
        fault(rule, f"{size:,} bytes; a hive of a layer has at most {_MAX_HIVE:,}")
        return
    data = b"".join(iter(read, b""))
    is_store &= size <= decoding.MAX_STORE
    reading = reader.read(data, keys=is_store)
    found = reading.findings
    worst = next((each for level in (Level.REFUSED, Level.DIRTY) for each in found if each.level == level), None)
    if worst:
        fault(rule, f"the hive is {worst.level}: {worst.message}")
    elif is_store:
        for problem in islice(decoding.problems(decoding.read_store(reading.hive) or ()), _MAX_PROBLEMS):
            fault("bcd-type", problem)
