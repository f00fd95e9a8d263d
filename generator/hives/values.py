# SPDX-License-Identifier: Apache-2.0
"""Check and read the values of a key: a list of pointers, a record for each, and data beyond four bytes."""

import struct
from typing import Final

from ..base.errors import counted, quoted
from . import structures as s
from .cells import SkippedError, Walk
from .model import REG_DWORD, REG_DWORD_BIG_ENDIAN, REG_QWORD, Value, fold_name
from .names import read_name

_U32 = struct.Struct("<I")
_KEY_AT: Final = s.KEY.offsets
_AT: Final = s.VALUE.offsets
_DATA_AT: Final = _AT["data"]
_HEAD: Final = s.VALUE.unpacker.size
_MAX_NAME: Final = 16383  # characters
_SIZES: Final = {REG_DWORD: 4, REG_DWORD_BIG_ENDIAN: 4, REG_QWORD: 8}  # bytes


def read_values(
    walk: Walk, at: int, count: int, pointer: int, max_name: int, max_data: int, keep: bool
) -> tuple[tuple[Value, ...], tuple[int, ...]]:
    """Check the values of the key at *at*; return the readable ones in order, and the offsets of their records.

    Return empty tuples unless *keep*. Raises SkippedError if the list is unreadable.
    """
    if count == 0:
        if pointer != s.NIL:
            found = f"the key has 0 values and the list's pointer is 0x{pointer:x}"
            walk.skip(at + _KEY_AT["values list"], "list-nil", found)
        return (), ()
    start, end = walk.take(pointer, at + _KEY_AT["values list"], s.VALUES)
    if 4 * count > end - start:
        wrong = f"{count:,} values are in a list whose cell holds {counted(end - start, 'byte')}"
        walk.skip(at + _KEY_AT["number of values"], "list-size", wrong)
    values: list[Value] = []
    places: list[int] = []
    seen: set[str] = set()
    longest = largest = 0
    for entry in range(start, start + 4 * count, 4):
        try:
            vk, name, units, kind, size, data = _value(walk, _U32.unpack_from(walk.data, entry)[0], entry, keep)
        except SkippedError:
            continue
        longest, largest = max(longest, units), max(largest, size)
        folded = fold_name(name)
        if folded in seen:
            walk.fault(vk + _HEAD, "value-duplicate", f"a second value is named {name[:60]!a}")
        seen.add(folded)
        walk.value_count += 1
        if keep:
            values.append(Value(name, kind, data))
            places.append(vk)
    walk.largest("key-max-value-name", at + _KEY_AT["largest value name"], max_name, longest)
    walk.largest("key-max-value-data", at + _KEY_AT["largest value data"], max_data, largest)
    return tuple(values), tuple(places)


def _value(walk: Walk, pointer: int, field: int, keep: bool) -> tuple[int, str, int, int, int, bytes]:
    """Take a value's cells; return its record's offset, name, the name's bytes in UTF-16, type, size and data.

    The data is empty unless *keep*. Raises SkippedError if the value is unreadable.
    """
    at, end = walk.take(pointer, field, s.VALUE)
    room = end - at
    length = int.from_bytes(walk.data[at + 2 : at + 4], "little")
    if (begins := walk.data[at : at + 2]) != b"vk":
        walk.skip(at, "value-signature", f"the value begins with {quoted(begins)}")
    if room < _HEAD or room < _HEAD + length:
        walk.skip(at, "value-size", f"the cell holds {counted(room, 'byte')}")
    _, _, size, data_pointer, kind, flags, _ = s.VALUE.unpacker.unpack_from(walk.data, at)
    compressed = flags & s.VALUE_COMPRESSED
    if flags & ~s.VALUE_COMPRESSED:
        walk.fault(at + _AT["flags"], "value-flags", f"the value's flags are 0x{flags:x}")
    if (characters := length if compressed else length // 2) > _MAX_NAME:
        walk.fault(at + _AT["name length"], "value-name-length", f"the value's name has {characters:,} characters")
    name = read_name(walk, "value", at + _HEAD, length, compressed)
    data = _data(walk, at, size, data_pointer, keep)
    size &= ~s.INLINE
    if size != _SIZES.get(kind, size):
        walk.fault(at + _AT["data size"], "value-type", f"a {s.VALUE_TYPES[kind]} has {counted(size, 'byte')}")
    return at, name, 2 * length if compressed else length, kind, size, data


def _data(walk: Walk, at: int, size: int, pointer: int, keep: bool) -> bytes:
    """Return the data of the value at *at*, empty unless *keep*; *size* may have INLINE set. Raises SkippedError."""
    if size & s.INLINE:
        size &= ~s.INLINE
        if size > s.MAX_INLINE:
            walk.skip(at + _AT["data size"], "value-inline", f"{size:,} bytes of data are inside the value record")
        return walk.data[at + _DATA_AT : at + _DATA_AT + size] if keep else b""
    if size == 0:
        if pointer != s.NIL:
            walk.fault(at + _DATA_AT, "value-empty", f"the value has no data and its pointer is 0x{pointer:x}")
            walk.whole = False
        return b""
    big = size > s.SEGMENT and walk.minor > 3
    start, end = walk.take(pointer, at + _DATA_AT, s.BIG_DATA if big else s.DATA)
    if big:
        return _big_data(walk, start, end, size, keep)
    if size > end - start:
        wrong = f"{counted(size, 'byte')} of data are in a cell that holds {end - start:,}"
        walk.fault(at + _AT["data size"], "value-data", wrong)
        size = end - start
    return walk.data[start : start + size] if keep else b""


def _big_data(walk: Walk, at: int, end: int, size: int, keep: bool) -> bytes:
    """Return *size* bytes of data from the segments of the `db` record at *at*; raises SkippedError."""
    fields, pointer_at = s.BIG_DATA.unpacker, s.BIG_DATA.offsets["segments list"]
    kind, count, pointer = fields.unpack_from(walk.data, at) if end - at >= fields.size else (b"", 0, 0)
    if kind != b"db":
        walk.skip(at, "big-signature", f"{counted(size, 'byte')} of data are in a cell that begins with {quoted(kind)}")
    if count != -(-size // s.SEGMENT):
        walk.skip(at + 2, "big-count", f"{count:,} segments are to hold {counted(size, 'byte')}")
    start, end = walk.take(pointer, at + pointer_at, s.SEGMENTS)
    if 4 * count > end - start:
        wrong = f"{count:,} segments are in a list whose cell holds {counted(end - start, 'byte')}"
        walk.skip(at + 2, "list-size", wrong)
    parts: list[bytes] = []
    for entry in range(start, start + 4 * count, 4):
        start, end = walk.take(_U32.unpack_from(walk.data, entry)[0], entry, s.SEGMENT_DATA)
        part = min(size, s.SEGMENT)
        if end - start < s.SEGMENT:
            walk.fault(start, "big-segment", f"the segment's cell holds {end - start:,} bytes, {part:,} of them data")
        if keep:
            parts.append(walk.data[start : min(start + part, end)])
        size -= part
    return b"".join(parts)
