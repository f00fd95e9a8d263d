# SPDX-License-Identifier: Apache-2.0
"""State shared by all parts of the reader: the file, the map of its cells, their owners, and the findings.

The map has one byte for eight bytes of the bins. A cell in use is given to one owner, and its byte in the map becomes
the kind of its structure. So the map also records, at no further cost, where each structure of the hive lies.
"""

import mmap
import struct
from array import array
from collections import Counter
from typing import Final, NoReturn

from ..base.errors import quoted
from . import structures as s
from .rules import HiveError, HiveFinding, Level

Buffer = bytes | mmap.mmap

MAX_FINDINGS: Final = 100  # by refusing rules; a hive of random bytes would have no end of them
MAX_ALIKE: Final = 10  # findings by one rule of level unusual that are listed; more are counted

_SIZE = struct.Struct("<i")
_FREE: Final = s.NUMBERS[s.FREE]
_USED: Final = s.NUMBERS[s.USED]
_BIN: Final = s.NUMBERS[s.BIN]
# The rule that is broken if the signature of a cell does not fit the pointer to it.
_SIGNATURE_RULES: Final = {
    s.KEY: "key-signature",
    s.VALUE: "value-signature",
    s.SUBKEYS: "list-signature",
    s.BIG_DATA: "big-signature",
    s.SECURITY: "sk-signature",
}
_BYTES: Final = frozenset({s.DATA, s.SEGMENT_DATA, s.CLASS})  # kinds of cells that may hold any bytes


class EnoughError(Exception):
    """The walk cannot continue, or has reached the maximum of findings."""


class SkippedError(Exception):
    """A part of the hive is unreadable; the finding that says why is recorded."""


class Walk:
    """State of one reading of one hive.

    A strict walk raises HiveError at the first finding; others collect the findings.
    """

    def __init__(self, data: Buffer, *, strict: bool, keep: bool, owners: bool) -> None:
        self.data = data
        self.strict = strict
        self.keep = keep  # return keys and values, not only findings
        self.findings: list[HiveFinding] = []
        self.refusals = 0
        self.alike: Counter[str] = Counter()  # number of findings by each rule of level unusual
        self.key_count = self.value_count = 0
        self.minor = 0
        self.length = 0  # of the bins, in bytes, by the base block
        self.known = 0  # the pointer at which the map of cells ends
        self.cells = bytearray()
        self.owners = array("I") if owners else None  # for each byte of the map, the offset of the pointer to it
        self.users: dict[int, int] = {}  # pointer to a security record: number of keys that use it
        self.descriptors: dict[int, bytes] = {}  # pointer to a security record: its descriptor
        self.whole = True  # no part of the tree was skipped

    def fault(self, offset: int, rule: str, found: str, allowed: str = "") -> None:
        """Record a broken rule."""
        finding = HiveFinding(offset, rule, found, allowed)
        if self.strict:
            raise HiveError(finding)
        if finding.level == Level.UNUSUAL:
            self.alike[rule] += 1
            if self.alike[rule] > MAX_ALIKE:
                return
        self.findings.append(finding)
        self.refusals += finding.level == Level.REFUSED
        if self.refusals >= MAX_FINDINGS:
            raise EnoughError

    def skip(self, offset: int, rule: str, found: str) -> NoReturn:
        """Record a broken rule and skip the part of the tree that it makes unreadable."""
        self.fault(offset, rule, found)
        self.whole = False
        raise SkippedError

    def largest(self, rule: str, at: int, known: int, found: int) -> None:
        """Check a key's field for the largest name or data below it, in bytes."""
        if found > known:
            self.fault(at, rule, f"the largest found has {found:,} bytes and the largest known {known:,}")

    def take(self, pointer: int, field: int, kind: s.Structure) -> tuple[int, int]:
        """Give a cell to its owner; return the start and end of its content in the file. Raises SkippedError.

        *field* is the offset of the pointer in the file, *kind* the expected structure.
        """
        index = pointer >> 3
        if pointer & 7 or index >= len(self.cells) or self.cells[index] != _USED:
            self._not_taken(pointer, field, kind)
            self.whole = False
            raise SkippedError
        self.cells[index] = s.NUMBERS[kind]
        if self.owners is not None:
            self.owners[index] = field
        at = pointer + s.BASE
        return at + 4, at - int(_SIZE.unpack_from(self.data, at)[0])

    def _not_taken(self, pointer: int, field: int, kind: s.Structure) -> None:
        named = f"the pointer to {kind.noun} is 0x{pointer:x}"
        state = s.INSIDE
        if not pointer & 7 and pointer >> 3 < len(self.cells):
            state = self.cells[pointer >> 3]
        if state > _BIN:  # owned
            at = pointer + s.BASE + 4
            begins = self.data[at : at + 2]
            if kind.signatures and begins not in kind.signatures:
                self.fault(at, _SIGNATURE_RULES[kind], f"{kind.noun} begins with {quoted(begins)}")
            elif kind in {s.KEY, s.SUBKEYS}:
                self.fault(field, "key-shared", f"{named}, which another pointer led to")
            else:
                mixed = kind not in _BYTES and s.KINDS[state] is not kind
                self.fault(field, "cell-kind" if mixed else "cell-shared", f"{named}, which another pointer led to")
        elif state == _FREE:
            self.fault(field, "pointer-free", f"{named}, a free cell")
        elif self.known <= pointer < self.length:
            pass  # into the part without a map, which has its own finding
        elif pointer & s.VOLATILE and pointer != s.NIL:
            self.fault(field, "pointer-volatile", named)
        else:
            self.fault(field, "pointer-cell", named)

    def map_cells(self, end: int) -> None:
        """Check all bins and map their cells; *end* is the pointer behind the last bin in the file."""
        fields = s.BIN.offsets
        self.cells = bytearray(end >> 3)  # memory is committed only for pages with cells
        start = 0
        while start < end:
            at = s.BASE + start
            signature, offset, size, reserved, _, _ = s.BIN.unpacker.unpack_from(self.data, at)
            if signature != b"hbin":
                self.fault(at, "bin-signature", f"the bin begins with {quoted(signature)}")
            if offset != start:
                self.fault(at + fields["offset"], "bin-offset", f"the bin's offset is 0x{offset:x}", f"0x{start:x}")
            if size == 0 or size % s.PAGE or size > self.length - start:
                self.fault(at + fields["size"], "bin-size", f"the bin's size is {size:,}")
                break
            if reserved:
                self.fault(at + fields["reserved"], "bin-reserved", f"the bin's reserved bytes are 0x{reserved:016x}")
            self.cells[start >> 3] = _BIN
            self.known = self._map_bin(start + s.BIN.unpacker.size, start + size, end)
            if self.known < start + size:
                break
            start += size
        self.whole = self.known == self.length
        del self.cells[self.known >> 3 :]
        if self.owners is not None:
            self.owners = array("I", [0]) * len(self.cells)

    def _map_bin(self, pointer: int, stop: int, end: int) -> int:
        """Map the cells from *pointer* up to *stop*; return *stop*, or the pointer to the first invalid cell."""
        data, cells, size_at = self.data, self.cells, _SIZE.unpack_from
        while pointer < stop:
            if pointer >= end:
                return pointer
            (size,) = size_at(data, pointer + s.BASE)
            state = _FREE
            if size < 0:
                size, state = -size, _USED
            if size == 0 or size & 7 or size > stop - pointer:
                self.fault(pointer + s.BASE, "cell-size", f"the cell's size is {size:,}")
                return pointer
            if size > end - pointer:
                return pointer
            cells[pointer >> 3] = state
            pointer += size
        return stop

    def leaks(self) -> None:
        """Record the cells in use without an owner."""
        at = -1
        while (at := self.cells.find(_USED, at + 1)) >= 0:
            self.fault(at * 8 + s.BASE, "cell-leak", "nothing points to this cell in use")
