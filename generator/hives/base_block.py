# SPDX-License-Identifier: Apache-2.0
"""Check the base block, the first 4,096 bytes of a hive, and the length of the bins behind it."""

import struct
from functools import reduce
from operator import xor
from typing import Final

from ..base.errors import quoted
from . import structures as s
from .cells import EnoughError, Walk

MAX_LENGTH: Final = s.VOLATILE  # bytes of bins that pointers can address
_AT: Final = s.BASE_BLOCK.offsets
_ALLOWED: Final = (  # rule, field and the field's allowed values
    ("base-minor", "minor version", {3, 4, 5, 6}),
    ("base-major", "major version", {1}),
    ("base-type", "file type", {0}),
    ("base-format", "file format", {1}),
    ("base-cluster", "clustering factor", {1}),
    ("base-boot", "boot type", {0}),
    ("base-boot", "boot recover", {0}),
)
_WORDS = struct.Struct("<127I")


def checksum(data: bytes) -> int:
    """Return the checksum of a base block: the XOR of its first 127 numbers, but never 0 or -1."""
    total: int = reduce(xor, _WORDS.unpack_from(data))
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total)


def read_base(walk: Walk) -> tuple[int, int]:
    """Check the base block; return the pointers to the root key and to the end of the bins in the file."""
    size = len(walk.data)
    if size < s.BASE + s.PAGE:
        if (begins := walk.data[:4]) != b"regf"[: len(begins)]:
            walk.fault(0, "base-signature", f"the file begins with {quoted(begins)}")
        else:
            walk.fault(0, "file-size", f"the file has {size:,} bytes")
        raise EnoughError
    block = walk.data[: s.BASE]
    base = dict(zip(_AT, s.BASE_BLOCK.unpacker.unpack(block), strict=True))
    if base["signature"] != b"regf":
        walk.fault(0, "base-signature", f"the file begins with {quoted(base['signature'])}")
        if walk.data[s.BASE : s.BASE + 4] != b"hbin":
            raise EnoughError  # a file of another kind
    found, right = base["checksum"], checksum(block)
    if found != right:
        walk.fault(_AT["checksum"], "base-checksum", f"the checksum is 0x{found:08x}", f"0x{right:08x}")
    first, second = base["primary sequence number"], base["secondary sequence number"]
    if first != second:
        wrong = f"the sequence numbers are {first:,} and {second:,}"
        walk.fault(_AT["primary sequence number"], "base-sequence", wrong)
    for rule, name, only in _ALLOWED:
        if base[name] not in only:
            walk.fault(_AT[name], rule, f"the {name} is {base[name]:,}")
    if base["flags"]:
        walk.fault(_AT["flags"], "base-flags", f"the flags are 0x{base['flags']:x}")
    for name in ("reserved 1", "reserved 2"):
        if used := base[name].lstrip(b"\0"):
            at = _AT[name] + len(base[name]) - len(used)
            walk.fault(at, "base-reserved", f"a reserved byte of the base block is 0x{used[0]:02x}")
    walk.minor = base["minor version"]
    return base["root key"], _read_length(walk, base["length of the bins"], size - s.BASE)


def _read_length(walk: Walk, length: int, held: int) -> int:
    """Check the bins' *length* against the *held* bytes in the file; return the pointer behind the last whole bin."""
    at = _AT["length of the bins"]
    pages = held // s.PAGE * s.PAGE
    if length % s.PAGE or not 0 < length <= MAX_LENGTH:
        walk.fault(at, "base-length", f"the bins' length is {length:,}")
        length = min(pages, MAX_LENGTH)
    elif length > held:
        walk.fault(at, "file-length", f"the bins' length is {length:,} and the file has {held:,} bytes for them")
    elif length < held:
        walk.fault(s.BASE + length, "file-rest", f"{held - length:,} bytes follow the bins")
    walk.length = length
    return min(length, pages)
