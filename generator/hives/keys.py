# SPDX-License-Identifier: Apache-2.0
"""Check and read a key: its record, class name, security record, values and subkeys."""

import contextlib
from typing import Final

from ..base.errors import counted, quoted
from ..security import descriptor
from . import structures as s
from .cells import SkippedError, Walk
from .lists import Head, read_subkeys
from .model import REG_LINK, Value
from .values import read_values

_AT: Final = s.KEY.offsets
_ROOT_MASK: Final = s.KEY_HIVE_ENTRY | s.KEY_NO_DELETE | s.KEY_COMPRESSED
_ROOT_FLAGS: Final = {_ROOT_MASK, s.KEY_COMPRESSED}  # of the mask; the second as Windows' offline library writes them
# Volatile, mount point, flags of Windows XP's 32-bit programs, and unknown ones.
_UNUSUAL_FLAGS: Final = 0xFC00 | s.KEY_VOLATILE | s.KEY_HIVE_EXIT
_ACCESS_BITS: Final = 3
_TARGET_SIZES: Final = range(6, 0x10000, 2)  # bytes of a link's value


def read_key(walk: Walk, at: int, parent: int | None) -> tuple[tuple[Value, ...], tuple[int, ...], list[Head]]:
    """Check the key at *at*; return its values, if the walk keeps them, their offsets, and the subkeys' heads.

    *parent* is the pointer to the parent, None for the root.
    """
    (
        _, flags, _, access, layer, layer_spare, parent_pointer, subkey_count, volatile_count, subkeys_pointer,
        volatile_pointer, value_count, values_pointer, security_pointer, class_pointer, max_name, _, _, max_class,
        max_value_name, max_value_data, _, _, class_length,
    ) = s.KEY.unpacker.unpack_from(walk.data, at)  # fmt: skip
    _flags(walk, at + _AT["flags"], flags, parent is None)
    if parent is not None and parent_pointer != parent:
        found = f"the key's parent is 0x{parent_pointer:x}"
        walk.fault(at + _AT["parent"], "key-parent", found, f"0x{parent:x}")
    if access & ~_ACCESS_BITS or layer or layer_spare:
        found = f"the bits are {access | layer << 8 | layer_spare << 16:08x} in hexadecimal, the lowest two of access"
        walk.fault(at + _AT["access bits"], "key-layer", found)
    if volatile_count:
        where = at + _AT["number of volatile subkeys"]
        walk.fault(where, "key-volatile-count", f"the key has {volatile_count:,} volatile subkeys")
    if volatile_pointer != s.NIL:
        walk.fault(at + _AT["volatile subkeys list"], "key-volatile-list", f"the pointer is 0x{volatile_pointer:x}")
    if class_length or class_pointer != s.NIL:
        with contextlib.suppress(SkippedError):
            _class_name(walk, at, class_pointer, class_length)
    _use_security(walk, security_pointer, at + _AT["security record"])
    link = flags & s.KEY_SYM_LINK
    keep = walk.keep or bool(link)
    values: tuple[Value, ...] = ()
    places: tuple[int, ...] = ()
    subkeys: list[Head] = []
    with contextlib.suppress(SkippedError):
        values, places = read_values(walk, at, value_count, values_pointer, max_value_name, max_value_data, keep)
    with contextlib.suppress(SkippedError):
        subkeys = read_subkeys(walk, at, subkey_count, subkeys_pointer, max_name, max_class)
    if link and parent is not None:
        _link(walk, at, subkey_count, value_count, values)
    return values, places, subkeys


def _flags(walk: Walk, at: int, flags: int, root: bool) -> None:
    """Check the *flags* of a key at *at*; _link() checks symbolic links."""
    broken = {
        "root-flags": root and flags & _ROOT_MASK not in _ROOT_FLAGS,
        "root-symlink": root and flags & s.KEY_SYM_LINK,
        "key-hive-entry": not root and flags & s.KEY_HIVE_ENTRY,
        "key-flags": flags & _UNUSUAL_FLAGS,
        "key-predefined": flags & s.KEY_PREDEFINED,
    }
    for rule in (rule for rule, is_broken in broken.items() if is_broken):
        walk.fault(at, rule, f"the key's flags are 0x{flags:x}")


def _link(walk: Walk, at: int, subkeys: int, count: int, values: tuple[Value, ...]) -> None:
    """Check the symbolic link at *at*: its number of *subkeys*, its *count* of values, and the *values* read."""
    shown = [f"{value.name[:60]!a} of type {value.type}, {counted(len(value.data), 'byte')}" for value in values[:3]]
    found = f"a link has {subkeys:,} subkeys and {count:,} values: {'; '.join(shown) or 'none'}"
    if count > 1 or any(not _is_target(value) for value in values):
        walk.fault(at + _AT["flags"], "key-symlink", found)
    elif subkeys or count == 0:
        walk.fault(at + _AT["flags"], "key-symlink-target", found)


def _is_target(value: Value) -> bool:
    """Return whether a value can be the target of a symbolic link."""
    return (value.name, value.type) == ("SymbolicLinkValue", REG_LINK) and len(value.data) in _TARGET_SIZES


def _class_name(walk: Walk, at: int, pointer: int, length: int) -> None:
    where = at + _AT["class name"]
    if length == 0:
        walk.skip(where, "key-class", f"the class name's pointer is 0x{pointer:x} and its length 0")
    start, end = walk.take(pointer, where, s.CLASS)
    where = at + _AT["class name length"]
    if length > end - start:
        found = f"the class name has {counted(length, 'byte')} in a cell that holds {end - start:,}"
        walk.fault(where, "key-class-size", found)
    elif length % 2:
        walk.fault(where, "key-class", f"the class name has {counted(length, 'byte')}")


# Security records, which keys share.


def _use_security(walk: Walk, pointer: int, field: int) -> None:
    """Count one more key that uses a security record, and check the record at its first use."""
    if pointer not in walk.users:
        walk.users[pointer] = 0
        with contextlib.suppress(SkippedError):
            _read_security(walk, pointer, field)
    walk.users[pointer] += 1


def _read_security(walk: Walk, pointer: int, field: int) -> None:
    """Take the cell of a security record and check its descriptor; raises SkippedError if the record is unreadable."""
    at, end = walk.take(pointer, field, s.SECURITY)
    head = s.SECURITY.unpacker
    signature = walk.data[at : at + 2]
    size = head.unpack_from(walk.data, at)[-1] if end - at >= head.size else 0
    if signature != b"sk":
        walk.skip(at, "sk-signature", f"the security record begins with {quoted(signature)}")
    if end - at < head.size + size:
        walk.skip(at, "sk-size", f"a descriptor of {counted(size, 'byte')} is in a cell that holds {end - at:,}")
    at += head.size
    content = walk.data[at : at + size]
    walk.descriptors[pointer] = content
    descriptor.read(content, lambda offset, rule, found: walk.fault(at + offset, rule, found))


def check_ring(walk: Walk) -> None:
    """Walk the ring of security records and compare it with the keys' use of them; needs a completely read tree.

    Raises SkippedError if a record is unreadable.
    """

    def record(pointer: int) -> tuple[int, int, int]:
        _, _, forward, backward, references, _ = s.SECURITY.unpacker.unpack_from(walk.data, pointer + s.BASE + 4)
        return forward, backward, references

    def place(pointer: int, field: str) -> int:
        return pointer + s.BASE + 4 + s.SECURITY.offsets[field]

    here = next(iter(walk.users))
    ring = {here}
    while True:
        forward = record(here)[0]
        if forward not in walk.users:
            _read_security(walk, forward, place(here, "next record"))
            walk.users[forward] = 0
            walk.fault(place(forward, "references"), "sk-orphan", "no key uses this security record")
        backward = record(forward)[1]
        if backward != here:
            found = f"the record behind 0x{here:x} points back to 0x{backward:x}"
            walk.fault(place(forward, "previous record"), "sk-ring", found)
        if forward in ring:
            break
        ring.add(forward)
        here = forward
    for pointer, users in walk.users.items():
        if pointer not in ring:
            walk.fault(place(pointer, "signature"), "sk-ring", "keys use a security record outside the ring")
        references = record(pointer)[2]
        if users and references != users:
            found = f"the record counts {references:,} references and {users:,} keys use it"
            walk.fault(place(pointer, "references"), "sk-count", found)
