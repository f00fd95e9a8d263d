# SPDX-License-Identifier: Apache-2.0
"""Check and read the subkeys list of a key: one leaf, or an index root over several."""

import contextlib
import struct
from typing import Final, NamedTuple

from ..base.errors import quoted
from . import structures as s
from .cells import SkippedError, Walk
from .names import check_mark, read_name, sort_key

_U32 = struct.Struct("<I")
_TWO_U16 = struct.Struct("<HH")
_LEAVES: Final = {leaf.signatures[0]: leaf for leaf in s.LEAVES}
_WIDTHS: Final = {leaf: sum(field.size for field in leaf.tail.fields) for leaf in s.LEAVES if leaf.tail}  # bytes
_HEAD: Final = s.HASH_LEAF.unpacker  # the same of all leaves
_AT: Final = s.KEY.offsets
_MAX_CELL: Final = 1116  # bytes that a key's cell holds at most
_MAX_NAME: Final = 255  # characters


class Head(NamedTuple):
    """The head of a subkey, for its parent: the record's offset, the name, the length of the class name in bytes."""

    at: int
    name: str
    class_length: int


class _Leaf(NamedTuple):
    """A leaf of a subkeys list: its kind, the offset of its entries and their number."""

    kind: s.Structure
    start: int
    entries: int


def read_head(walk: Walk, pointer: int, field: int) -> Head:
    """Take a key's cell and return its head; *field* is the offset of the pointer to it. Raises SkippedError."""
    at, end = walk.take(pointer, field, s.KEY)
    data, room = walk.data, end - at
    begins = data[at : at + 4]
    head = s.KEY.unpacker.size
    name_length, class_length = _TWO_U16.unpack_from(data, at + _AT["name length"]) if room >= head else (0, 0)
    if begins[:2] != b"nk":
        walk.skip(at, "key-signature", f"the key begins with {quoted(begins[:2])}")
    if room < head + name_length:
        walk.skip(at, "key-size", f"the cell holds {room:,} bytes")
    if room > _MAX_CELL:
        walk.fault(at, "key-oversize", f"the cell holds {room:,} bytes")
    compressed = bool(begins[2] & s.KEY_COMPRESSED)
    if name_length == 0:
        walk.fault(at + _AT["name length"], "key-name-empty", "the key's name has no characters")
    elif (characters := name_length if compressed else name_length // 2) > _MAX_NAME:
        walk.fault(at + _AT["name length"], "key-name-length", f"the key's name has {characters:,} characters")
    name = read_name(walk, "key", at + head, name_length, compressed)
    for char, rule in (("\\", "key-name-backslash"), ("\0", "key-name-nul")):
        if char in name:
            walk.fault(at + head, rule, f"the key's name is {name[:60]!a}")
    return Head(at, name, class_length)


def read_subkeys(walk: Walk, at: int, count: int, pointer: int, max_name: int, max_class: int) -> list[Head]:
    """Check the subkeys list of the key at *at* and return its subkeys in order; raises SkippedError."""
    if count == 0:
        if pointer != s.NIL:
            found = f"the key has 0 subkeys and the list's pointer is 0x{pointer:x}"
            walk.skip(at + _AT["subkeys list"], "list-nil", found)
        return []
    leaves, complete = _leaves(walk, pointer, at + _AT["subkeys list"])
    total = sum(leaf.entries for leaf in leaves)
    if complete and total != count:
        found = f"the key counts {count:,} subkeys and its list {total:,}"
        walk.fault(at + _AT["number of subkeys"], "subkey-count", found)
    subkeys: list[Head] = []
    longest = longest_class = 0
    before: bytes | None = None
    for kind, start, entries in leaves:
        width = _WIDTHS[kind]
        for entry in range(start, start + entries * width, width):
            try:
                head = read_head(walk, _U32.unpack_from(walk.data, entry)[0], entry)
            except SkippedError:
                before = None
                continue
            subkeys.append(head)
            key = sort_key(head.name)
            longest = max(longest, len(key))
            longest_class = max(longest_class, head.class_length)
            if before is not None and key <= before:
                rule = "subkey-duplicate" if key == before else "subkey-order"
                walk.fault(entry, rule, f"subkey {head.name[:60]!a} does not sort after the one before it")
            before = key
            check_mark(walk, kind, entry + 4, head.name, key)
    walk.largest("key-max-name", at + _AT["largest subkey name"], max_name, longest)
    walk.largest("key-max-class", at + _AT["largest subkey class name"], max_class, longest_class)
    return subkeys


def _leaves(walk: Walk, pointer: int, field: int) -> tuple[list[_Leaf], bool]:
    """Take the cells of a subkeys list; return its readable leaves, and whether those are all. Raises SkippedError."""
    found = _leaf(walk, pointer, field)
    if found.kind is not s.INDEX_ROOT:
        return [found], True
    leaves = []
    for entry in range(found.start, found.start + 4 * found.entries, 4):
        with contextlib.suppress(SkippedError):
            leaf = _leaf(walk, _U32.unpack_from(walk.data, entry)[0], entry)
            if leaf.kind is s.INDEX_ROOT:
                walk.skip(entry, "list-nested", "a leaf of an 'ri' list begins with 'ri'")
            leaves.append(leaf)
    return leaves, len(leaves) == found.entries


def _leaf(walk: Walk, pointer: int, field: int) -> _Leaf:
    """Take the cell of one list record and return it as a leaf; raises SkippedError if it is invalid."""
    at, end = walk.take(pointer, field, s.SUBKEYS)
    signature, count = _HEAD.unpack_from(walk.data, at)
    kind = _LEAVES.get(signature)
    if kind is None:
        walk.skip(at, "list-signature", f"the subkeys list begins with {quoted(signature)}")
    if count * _WIDTHS[kind] > end - at - _HEAD.size:
        found = f"the subkeys list counts {count:,} entries in a cell that holds {end - at:,} bytes"
        walk.skip(at + 2, "list-size", found)
    if count == 0:
        walk.fault(at + 2, "list-empty", "the subkeys list has no entries")
    if kind is s.HASH_LEAF and walk.minor < 5:
        walk.fault(at, "list-version", f"an 'lh' list is in a hive of minor version {walk.minor}")
    walk.cells[pointer >> 3] = s.NUMBERS[kind]
    return _Leaf(kind, at + _HEAD.size, count)
