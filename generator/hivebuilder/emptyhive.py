# SPDX-License-Identifier: Apache-2.0
"""Create the smallest valid hive, since hivex can edit hives but not create them.

Layout and field names follow msuhanov/windows-registry-file-format-specification; the security
descriptor follows [MS-DTYP] 2.4. All numbers are little-endian. Every timestamp is zero, so the
result depends only on this file.
"""

import struct

PAGE = 4096  # bytes; the base block is one page and a bin is a multiple of it
BIN_HEADER = 32  # bytes
NIL = 0xFFFFFFFF  # "no cell"

# Key access rights, winnt.h.
KEY_ALL_ACCESS = 0xF003F
KEY_READ = 0x20019

# Identifier authority 5 (NT); the numbers that follow are the relative identifiers.
LOCAL_SYSTEM = (18,)
ADMINISTRATORS = (32, 544)
USERS = (32, 545)


def empty_hive() -> bytes:
    """Return a hive of 8,192 bytes: a root key without subkeys or values, and its security record."""
    root_offset = BIN_HEADER
    # The root key's size does not depend on the security record's offset, so a first pass finds the offset.
    security_offset = root_offset + len(_root_key(0))
    cells = _root_key(security_offset) + _security_record(security_offset)
    free = PAGE - BIN_HEADER - len(cells)
    cells += struct.pack("<i", free) + bytes(free - 4)
    # Bin header: signature, offset, size, reserved, timestamp, spare.
    hive_bin = struct.pack("<4sIIQQI", b"hbin", 0, PAGE, 0, 0, 0) + cells
    return _base_block(root_offset, len(hive_bin)) + hive_bin


def _base_block(root_offset: int, bins_size: int) -> bytes:
    """Return the first page of the file: signature to checksum, then zeros."""
    head = struct.pack(
        "<4sIIQIIIIIII",
        b"regf",
        1,  # primary sequence number
        1,  # secondary sequence number, equal: nothing left to recover
        0,  # last written
        1,  # major version
        5,  # minor version: the first with the `lh` leaves that hivex writes
        0,  # type: a primary file
        1,  # format: direct memory load
        root_offset,
        bins_size,
        1,  # clustering factor
    ).ljust(508, b"\0")
    checksum = 0
    for (word,) in struct.iter_unpack("<I", head):
        checksum ^= word
    # Windows never stores these two values: 0 becomes 1 and 0xFFFFFFFF becomes 0xFFFFFFFE.
    checksum = {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(checksum, checksum)
    return (head + struct.pack("<I", checksum)).ljust(PAGE, b"\0")


def _root_key(security_offset: int) -> bytes:
    """Return the allocated cell of the root key node (`nk`)."""
    name = b"ROOT"
    return _allocated(
        struct.pack(
            "<2sHQIIIIIIIIIIIIIIIHH",
            b"nk",
            0x2C,  # KEY_HIVE_ENTRY, KEY_NO_DELETE, KEY_COMP_NAME
            0,  # last written
            0,  # access bits
            NIL,  # parent
            0,  # number of subkeys
            0,  # number of volatile subkeys
            NIL,  # subkeys list
            NIL,  # volatile subkeys list
            0,  # number of values
            NIL,  # values list
            security_offset,
            NIL,  # class name
            0,  # largest subkey name
            0,  # largest subkey class name
            0,  # largest value name
            0,  # largest value data
            0,  # work variable
            len(name),
            0,  # class name length
        )
        + name
    )


def _security_record(offset: int) -> bytes:
    """Return the allocated cell of the only security record (`sk`), linked to itself and used by one key."""
    descriptor = _security_descriptor()
    return _allocated(struct.pack("<2sHIIII", b"sk", 0, offset, offset, 1, len(descriptor)) + descriptor)


def _security_descriptor() -> bytes:
    """Return O:BAG:SYD:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;BU) in self-relative form."""
    entries = b"".join(
        _access_allowed(mask, sid)
        for mask, sid in ((KEY_ALL_ACCESS, LOCAL_SYSTEM), (KEY_ALL_ACCESS, ADMINISTRATORS), (KEY_READ, USERS))
    )
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(entries), 3, 0) + entries
    owner, group = _sid(ADMINISTRATORS), _sid(LOCAL_SYSTEM)
    dacl_offset = 20
    owner_offset = dacl_offset + len(acl)
    control = 0x9004  # SE_SELF_RELATIVE, SE_DACL_PROTECTED, SE_DACL_PRESENT
    head = struct.pack("<BBHIIII", 1, 0, control, owner_offset, owner_offset + len(owner), 0, dacl_offset)
    return head + acl + owner + group


def _access_allowed(mask: int, sid: "tuple[int, ...]") -> bytes:
    """Return an ACCESS_ALLOWED_ACE inherited by subkeys (CONTAINER_INHERIT_ACE)."""
    body = struct.pack("<I", mask) + _sid(sid)
    return struct.pack("<BBH", 0, 2, 4 + len(body)) + body


def _sid(sub_authorities: "tuple[int, ...]") -> bytes:
    """Return a SID of the NT authority."""
    return struct.pack(f"<BB6s{len(sub_authorities)}I", 1, len(sub_authorities), b"\0\0\0\0\0\5", *sub_authorities)


def _allocated(content: bytes) -> bytes:
    """Return *content* as an allocated cell: the negated size, then *content* padded to a multiple of 8 bytes."""
    size = (4 + len(content) + 7) // 8 * 8
    return struct.pack("<i", -size) + content.ljust(size - 4, b"\0")
