# SPDX-License-Identifier: Apache-2.0
"""Lay out a registry hive: return the bytes that hivex 1.3.23 and 1.3.24 write for its keys and values, without hivex.

hivex starts from an empty hive and adds one key or value after the other. The order of these steps determines the place
of each record, so this module takes the same steps, by the rules of hivex's lib/write.c. The format is that of
msuhanov/windows-registry-file-format-specification. All numbers are little-endian, all sizes in bytes.

A hive is a base block of one page, then bins of whole pages, then nothing. A bin has a header and cells; a cell is a
size of four bytes, negative if the cell is in use, and one record. Records point at each other by *pointers*, which
count from the first bin.
"""

import struct
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

from .model import Hive, Value

_PAGE = 4096
_NIL = 0xFFFFFFFF  # a pointer to nothing
_BIN = struct.Struct("<4sII20x")  # signature, pointer, size; time and other fields that hivex leaves zero
# Signature, flags, time, access bits, parent, subkeys (stable, volatile), their lists, values, their list, security
# record, class name, largest subkey name, subkey class name, value name and value data, spare, lengths of the name and
# of the class name; then the name.
_KEY = struct.Struct("<2sHQIIIIIIIIIIIIIIIHH")
_SUBKEYS, _SUBKEYS_LIST, _VALUES, _LARGEST_SUBKEY, _LARGEST_VALUE = 20, 28, 36, 52, 60  # where fields of it are
# Signature, length of the name, length of the data, the data or its pointer, type, flags, spare; then the name.
_VALUE = struct.Struct("<2sHI4sIHH")
_VALUE_DATA = 8
_IN_RECORD = 0x80000000  # added to the length of data that the record holds in place of a pointer
# Signature, reserved, the next and the last record of the ring, number of keys that use it, size of the descriptor.
_SECURITY = struct.Struct("<2sHIIII")
_SECURITY_USERS = 12
_ROOT = _BIN.size  # pointer to the root key


def lay_out(plan: Hive) -> bytes:
    """Return the hive of *plan* as hivex writes it: an empty hive with the keys and values added in the plan's order.

    The specification has checked the plan: names, numbers and sizes are in range, key names are ASCII.
    """
    bins = _Bins()
    keys: dict[tuple[str, ...], _PlacedKey] = {(): _PlacedKey(_ROOT)}
    for key in plan:
        if key.path:
            keys[key.path] = bins.add_key(keys[key.path[:-1]], key.path[-1])
        if key.values:
            bins.set_values(keys[key.path], key.values)
    bins.put(bins.security, _SECURITY_USERS, "<I", len(keys))
    # Signature, primary and secondary sequence numbers (1 for a new hive, and one more for the commit), time, version
    # 1.5, type, format, root key, length, clusters.
    head = struct.pack("<4sIIQIIIIIII460x", b"regf", 2, 2, 0, 1, 5, 0, 1, _ROOT, len(bins.bytes), 1)
    # The rules for checksums 0 and 0xFFFFFFFF never apply: a length of whole pages changes no bit of the lowest 12.
    checksum = reduce(xor, struct.unpack("<127I", head))
    return (head + struct.pack("<I", checksum)).ljust(_PAGE, b"\0") + bins.bytes


@dataclass(slots=True)
class _PlacedKey:
    """An added key: the pointer to its cell, and its current subkeys list."""

    pointer: int
    order: list[bytes] = field(default_factory=list)  # the subkeys' sort keys
    entries: bytearray = field(default_factory=bytearray)  # for each subkey its pointer and its name's hash
    list: int = _NIL
    longest: int = 0  # bytes of the largest subkey name in UTF-16


class _Bins:
    """The bins of a growing hive; an index into *bytes* is a pointer."""

    def __init__(self) -> None:
        """Create the bin of the empty hive: the root key, its security record, and a free cell that stays free."""
        self.bytes = bytearray(_BIN.pack(b"hbin", 0, _PAGE)).ljust(_PAGE, b"\0")
        self.security = _ROOT + _cell_size(_KEY.size + len(b"ROOT"))
        # Flags: root of a hive, not to be deleted, name in Latin-1.
        self._write(_ROOT, _key_record(0x2C, _NIL, self.security, b"ROOT"))
        descriptor = _security_descriptor()
        record = _SECURITY.pack(b"sk", 0, self.security, self.security, 1, len(descriptor)) + descriptor
        self._write(self.security, record)
        self._free(self.security + _cell_size(len(record)))
        self.end = _PAGE  # pointer to the next cell: in a new bin

    def add_key(self, parent: _PlacedKey, name: str) -> _PlacedKey:
        """Add a key without subkeys and values to the subkeys of *parent*."""
        stored = name.encode("ascii")
        # One byte more than the name needs, as in a value's record.
        key = _PlacedKey(self._add(_key_record(0x20, parent.pointer, self.security, stored) + b"\0"))
        order = stored.upper()
        place = bisect(parent.order, order)
        parent.order.insert(place, order)
        parent.entries[8 * place : 8 * place] = struct.pack("<II", key.pointer, _hash(order))
        old = parent.list
        parent.list = self._add(struct.pack("<2sH", b"lh", len(parent.order)) + parent.entries)
        if old != _NIL:  # free from now on, its content left in place
            (size,) = struct.unpack_from("<i", self.bytes, old)
            struct.pack_into("<i", self.bytes, old, -size)
        parent.longest = max(parent.longest, 2 * len(stored))
        self.put(parent.pointer, _SUBKEYS, "<I", len(parent.order))
        self.put(parent.pointer, _SUBKEYS_LIST, "<I", parent.list)
        self.put(parent.pointer, _LARGEST_SUBKEY, "<I", parent.longest)
        return key

    def set_values(self, key: _PlacedKey, values: Sequence[Value]) -> None:
        """Set the values of *key*: write their list, then each record followed by its data."""
        pointers = self._add(bytes(4 * len(values)))
        longest = 0
        for number, value in enumerate(values):
            latin = all(char <= "\xff" for char in value.name)
            name = value.name.encode("latin-1" if latin else "utf-16-le")
            longest = max(longest, len(name) * (2 if latin else 1))
            inside = len(value.data) <= 4
            length = len(value.data) + (_IN_RECORD if inside else 0)
            data = value.data if inside else b""
            record = _VALUE.pack(b"vk", len(name), length, data, value.type, 1 if latin and name else 0, 0)
            at = self._add(record + name + b"\0")
            self.put(pointers, 4 * number, "<I", at)
            if not inside:
                self.put(at, _VALUE_DATA, "<I", self._add(value.data))
        self.put(key.pointer, _VALUES, "<II", len(values), pointers)
        self.put(key.pointer, _LARGEST_VALUE, "<II", longest, max(len(value.data) for value in values))

    def put(self, pointer: int, at: int, form: str, *numbers: int) -> None:
        """Write *numbers* into the record of a cell, *at* bytes from the record's start."""
        struct.pack_into(form, self.bytes, pointer + 4 + at, *numbers)

    def _add(self, record: bytes) -> int:
        """Add a cell behind the last one and return its pointer; start a new bin if it does not fit."""
        size = _cell_size(len(record))
        start = len(self.bytes)
        if self.end + size > start:
            pages = 1 + (size + _BIN.size - 1) // _PAGE
            self.bytes += _BIN.pack(b"hbin", start, pages * _PAGE).ljust(pages * _PAGE, b"\0")
            self.end = start + _BIN.size
        pointer = self.end
        self._write(pointer, record)
        self.end += size
        self._free(self.end)
        return pointer

    def _write(self, pointer: int, record: bytes) -> None:
        """Write a cell in use."""
        size = _cell_size(len(record))
        self.bytes[pointer : pointer + size] = struct.pack("<i", -size) + record.ljust(size - 4, b"\0")

    def _free(self, pointer: int) -> None:
        """Make one free cell of the rest of the bin."""
        if pointer < len(self.bytes):
            struct.pack_into("<i", self.bytes, pointer, len(self.bytes) - pointer)


def _cell_size(length: int) -> int:
    """Return the size of a cell whose record has *length* bytes: with its own four, a multiple of 8."""
    return (4 + length + 7) & ~7


def _key_record(flags: int, parent: int, security: int, name: bytes) -> bytes:
    """Return the record of a key without subkeys and values; its time is zero, inherited from the root key."""
    lists = 0, 0, _NIL, _NIL, 0, _NIL
    return _KEY.pack(b"nk", flags, 0, 0, parent, *lists, security, _NIL, 0, 0, 0, 0, 0, len(name), 0) + name


def _hash(folded: bytes) -> int:
    """Return the hash of a name in a subkeys list of kind `lh`."""
    return reduce(lambda value, byte: (value * 37 + byte) & 0xFFFFFFFF, folded, 0)


def _security_descriptor() -> bytes:
    """Return O:BAG:SYD:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;BU), self-relative ([MS-DTYP] 2.4)."""
    system, administrators, users = _sid(18), _sid(32, 544), _sid(32, 545)
    entries = b"".join(
        struct.pack("<BBHI", 0, 2, 8 + len(sid), rights) + sid  # allowed, inherited by subkeys
        for sid, rights in ((system, 0xF003F), (administrators, 0xF003F), (users, 0x20019))
    )
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(entries), 3, 0) + entries
    owner = 20 + len(acl)
    # Revision, spare, control (self-relative, DACL protected and present), owner, group, no SACL, DACL.
    head = struct.pack("<BBHIIII", 1, 0, 0x9004, owner, owner + len(administrators), 0, 20)
    return head + acl + administrators + system


def _sid(*numbers: int) -> bytes:
    """Return the security identifier S-1-5-*numbers*."""
    return struct.pack(f"<BB5xB{len(numbers)}I", 1, len(numbers), 5, *numbers)
