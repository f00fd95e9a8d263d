# SPDX-License-Identifier: Apache-2.0
"""Read the names of keys and values; sort, hash and compare them as Windows does."""

import struct

from ..base.errors import quoted
from . import structures as s
from .cells import Walk
from .model import fold_name


def read_name(walk: Walk, kind: str, at: int, length: int, compressed: bool) -> str:
    """Return the name of a key or a value (*kind*), *length* bytes long.

    Windows accepts any UTF-16 units in a name, so half of a surrogate pair is kept.
    """
    raw = walk.data[at : at + length]
    if compressed:
        return raw.decode("latin-1")
    try:
        return raw.decode("utf-16-le")
    except UnicodeDecodeError:
        rule = f"{kind}-name-encoding" if length % 2 else f"{kind}-name-surrogate"
        walk.fault(at, rule, f"the {kind}'s name is {raw[:16].hex()} in hexadecimal")
        return raw[: length & ~1].decode("utf-16-le", "surrogatepass")


def sort_key(name: str) -> bytes:
    """Return Windows' sort key for *name*: its UTF-16 units in upper case, big-endian so that bytes compare alike."""
    return fold_name(name).encode("utf-16-be", "surrogatepass")


def name_hash(key: bytes) -> int:
    """Return the hash in an `lh` entry for a name with the sort key *key*."""
    value = 0
    for unit in struct.unpack(f">{len(key) // 2}H", key):
        value = (value * 37 + unit) & 0xFFFFFFFF
    return value


def name_hint(name: str) -> bytes:
    """Return the hint in an `lf` entry: the name's first four characters, or one zero if not all are Latin-1."""
    try:
        return name[:4].encode("latin-1").ljust(4, b"\0")
    except UnicodeEncodeError:
        return b"\0"


def check_mark(walk: Walk, leaf: s.Structure, at: int, name: str, key: bytes) -> None:
    """Check the hash or hint at *at* in an entry of a *leaf*; *key* is the name's sort key."""
    mark = walk.data[at : at + 4]
    if leaf is s.HASH_LEAF:
        right = name_hash(key)
        if mark != right.to_bytes(4, "little"):
            found = f"the hash of {name[:60]!a} is 0x{int.from_bytes(mark, 'little'):08x}"
            walk.fault(at, "subkey-hash", found, f"0x{right:08x}")
    elif leaf is s.FAST_LEAF and not mark.startswith(name_hint(name)):
        walk.fault(at, "subkey-hint", f"the hint for {name[:60]!a} is {quoted(mark)}", quoted(name_hint(name)))
