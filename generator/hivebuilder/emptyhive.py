# SPDX-License-Identifier: Apache-2.0
"""Create the smallest valid hive, since hivex can edit hives but not create them.

Layout and field names follow msuhanov/windows-registry-file-format-specification; the security
descriptor follows [MS-DTYP] 2.4. All numbers are little-endian. Every timestamp is zero, so the
result depends only on this file.
"""

import struct

PAGE = 4096  # bytes; the base block is one page and a bin is a multiple of it
ROOT_KEY = 32  # offset of its cell: behind the bin header
NIL = 0xFFFFFFFF  # "no cell"

# Key access rights, winnt.h.
KEY_ALL_ACCESS = 0xF003F
KEY_READ = 0x20019


def empty_hive() -> bytes:
    """Return a hive of 8,192 bytes: a root key without subkeys or values, and its security record."""
    # The root key's size does not depend on the security record's offset, so a first pass finds the offset.
    security = ROOT_KEY + len(_root_key(0))
    cells = _root_key(security) + _security_record(security)
    # Bin header: signature, offset, size, reserved, timestamp, spare. The last cell, of a positive size, is free.
    head = struct.pack("<4sIIQQI", b"hbin", 0, PAGE, 0, 0, 0) + cells
    return _base_block() + (head + struct.pack("<i", PAGE - len(head))).ljust(PAGE, b"\0")


def _base_block() -> bytes:
    """Return the first page of the file: signature to checksum, then zeros."""
    # Signature, primary and secondary sequence number (equal: nothing left to recover), last written, version 1.5 (the
    # first with the `lh` leaves that hivex writes), type (a primary file), format (direct memory load), root key,
    # length of the bins, clustering factor.
    head = struct.pack("<4sIIQIIIIIII460x", b"regf", 1, 1, 0, 1, 5, 0, 1, ROOT_KEY, PAGE, 1)
    checksum = 0
    for (word,) in struct.iter_unpack("<I", head):
        checksum ^= word
    # Windows never stores these two values: 0 becomes 1 and 0xFFFFFFFF becomes 0xFFFFFFFE.
    checksum = {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(checksum, checksum)
    return (head + struct.pack("<I", checksum)).ljust(PAGE, b"\0")


def _root_key(security: int) -> bytes:
    """Return the allocated cell of the root key node (`nk`)."""
    name = b"ROOT"
    flags = 0x2C  # KEY_HIVE_ENTRY, KEY_NO_DELETE, KEY_COMP_NAME
    # Signature, flags, last written, access bits, parent.
    head = struct.pack("<2sHQII", b"nk", flags, 0, 0, NIL)
    # Numbers of subkeys and of volatile ones, their lists, number of values, their list, security record, class name.
    lists = struct.pack("<8I", 0, 0, NIL, NIL, 0, NIL, security, NIL)
    # Largest subkey name, subkey class name, value name and value data, work variable, lengths of name and class name.
    return _allocated(head + lists + struct.pack("<5IHH", 0, 0, 0, 0, 0, len(name), 0) + name)


def _security_record(offset: int) -> bytes:
    """Return the allocated cell of the only security record (`sk`), linked to itself and used by one key."""
    descriptor = _security_descriptor()
    return _allocated(struct.pack("<2sHIIII", b"sk", 0, offset, offset, 1, len(descriptor)) + descriptor)


def _security_descriptor() -> bytes:
    """Return O:BAG:SYD:P(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;BU) in self-relative form."""
    system, administrators, users = _sid(18), _sid(32, 544), _sid(32, 545)
    entries = b"".join(
        struct.pack("<BBHI", 0, 2, 8 + len(sid), mask) + sid  # ACCESS_ALLOWED_ACE, CONTAINER_INHERIT_ACE
        for mask, sid in ((KEY_ALL_ACCESS, system), (KEY_ALL_ACCESS, administrators), (KEY_READ, users))
    )
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(entries), 3, 0) + entries
    control = 0x9004  # SE_SELF_RELATIVE, SE_DACL_PROTECTED, SE_DACL_PRESENT
    dacl = 20  # bytes of the header, behind which the parts are
    owner = dacl + len(acl)
    head = struct.pack("<BBHIIII", 1, 0, control, owner, owner + len(administrators), 0, dacl)
    return head + acl + administrators + system


def _sid(*sub_authorities: int) -> bytes:
    """Return a SID of the NT authority, which is 5."""
    return struct.pack(f"<BB6s{len(sub_authorities)}I", 1, len(sub_authorities), b"\0\0\0\0\0\5", *sub_authorities)


def _allocated(content: bytes) -> bytes:
    """Return *content* as an allocated cell: the negated size, then *content* padded to a multiple of 8 bytes."""
    size = (4 + len(content) + 7) // 8 * 8
    return struct.pack("<i", -size) + content.ljust(size - 4, b"\0")
