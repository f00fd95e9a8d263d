# SPDX-License-Identifier: Apache-2.0
"""Self-relative security descriptors: the owner and the access control lists of a file or registry key, in one block.

A descriptor is a header of 20 bytes and up to four parts, which the header points to: the owner and the group, each a
SID (the number of a user or group); the DACL, a list of entries that allow or deny access; and the SACL, a list of
entries that ask for audits or set an integrity level. An access control list is an ACL, its entry an ACE.

from_bytes() and to_bytes() are exact: a descriptor that the one accepts, the other writes back byte for byte. read()
reads a damaged descriptor as well, and reports its faults.

Every number is little-endian, but for the authority of a SID. Source: Microsoft, [MS-DTYP] 2.4.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntFlag
from itertools import zip_longest
from typing import Final
from uuid import UUID

_HEADER: Final = struct.Struct("<BBHIIII")  # revision, resource manager's byte, control; owner, group, SACL, DACL
_ACL: Final = struct.Struct("<BBHHH")  # revision, reserved, size, entries, reserved
_ACE: Final = struct.Struct("<BBH")  # type, flags, size

# ACE types by where their SID stands: behind the access mask, or behind the two GUIDs that flags announce.
_PLAIN: Final = frozenset({0, 1, 2, 3, 9, 10, 13, 14, 17, 18, 19, 20, 21})
OBJECT: Final = frozenset({5, 6, 7, 8, 11, 12, 15, 16})

# Rules for registry keys, not for every descriptor: `O:BUG:BU`, common in layers, has no DACL.
ONLY_IN_HIVES: Final = frozenset({"sd-owner", "sd-group", "sd-dacl"})

Fault = Callable[[int, str, str], None]
"""Callback for a fault: its offset in bytes, the name of the broken rule, and a message."""


class DescriptorError(ValueError):
    """Invalid bytes or records of a descriptor; *position* counts bytes from the descriptor's start."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position


class Control(IntFlag):
    """The flags of a descriptor as a whole."""

    OWNER_DEFAULTED = 0x0001
    GROUP_DEFAULTED = 0x0002
    DACL_PRESENT = 0x0004  # present without a DACL means that everybody may do everything
    DACL_DEFAULTED = 0x0008
    SACL_PRESENT = 0x0010
    SACL_DEFAULTED = 0x0020
    DACL_TRUSTED = 0x0040
    SERVER_SECURITY = 0x0080
    DACL_AUTO_INHERIT_REQ = 0x0100
    SACL_AUTO_INHERIT_REQ = 0x0200
    DACL_AUTO_INHERITED = 0x0400
    SACL_AUTO_INHERITED = 0x0800
    DACL_PROTECTED = 0x1000  # inherits nothing from the parent
    SACL_PROTECTED = 0x2000
    RM_CONTROL_VALID = 0x4000  # the resource manager's byte has a meaning
    SELF_RELATIVE = 0x8000  # parts are found by offsets, not by addresses


@dataclass(frozen=True, slots=True)
class Sid:
    """The number of a user or group: an authority of 48 bits and up to 15 numbers of 32 bits."""

    authority: int
    sub_authorities: tuple[int, ...]

    def __str__(self) -> str:
        """Return the usual form, such as S-1-5-32-545; an authority above 32 bits has 12 hexadecimal digits."""
        authority = str(self.authority) if self.authority < 1 << 32 else f"0x{self.authority:012x}"
        return "-".join(["S-1", authority, *map(str, self.sub_authorities)])


@dataclass(frozen=True, slots=True)
class Ace:
    """An entry for one SID.

    *mask* has a bit for each right. The two GUIDs are those of object entries, and name a kind of object in a
    directory service. *data* is what follows the SID: a condition or claims, kept as they are.
    """

    kind: int
    flags: int
    mask: int
    sid: Sid
    object_type: UUID | None = None
    inherited_type: UUID | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class OpaqueAce:
    """An entry of a type, or with flags, that [MS-DTYP] does not define; *body* is all that follows its header."""

    kind: int
    flags: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Acl:
    """A list of entries; *revision* is 4 if it may contain object entries, else 2. *slack* is the unused rest."""

    aces: tuple[Ace | OpaqueAce, ...]
    revision: int = 2
    slack: bytes = b""


@dataclass(frozen=True, slots=True)
class SecurityDescriptor:
    """A security descriptor. Equality ignores *order*, the order of the stored parts by their letters in SDDL.

    *resource_manager* is a byte of the header, 0 unless *control* has RM_CONTROL_VALID.
    """

    owner: Sid | None = None
    group: Sid | None = None
    dacl: Acl | None = None
    sacl: Acl | None = None
    control: Control = Control.SELF_RELATIVE
    resource_manager: int = 0
    order: str = field(default="OGSD", compare=False)  # the default is that of Windows' conversion from text


def from_bytes(data: bytes) -> SecurityDescriptor:
    """Return the descriptor that *data* is, from its first byte to its last; raise DescriptorError if it is invalid."""

    def refuse(offset: int, rule: str, message: str) -> None:
        if rule not in ONLY_IN_HIVES:
            raise DescriptorError(min(offset, len(data)), message)

    found = read(data, refuse)
    again = _laid_out(found)
    if again != data:
        differs = next(at for at, (a, b) in enumerate(zip_longest(again, data)) if a != b)
        raise DescriptorError(differs, "the descriptor has parts that overlap, or bytes that no part accounts for")
    return found


def to_bytes(descriptor: SecurityDescriptor) -> bytes:
    """Return *descriptor* as bytes; raise DescriptorError if its records contradict each other or do not fit."""
    try:
        data = _laid_out(descriptor)
    except (struct.error, OverflowError) as error:
        raise DescriptorError(0, f"a number or a list is too large for its field: {error}") from error
    if from_bytes(data) != descriptor:
        raise DescriptorError(0, "the records contradict each other: read back, they say something else")
    return data


# Reading: each function reports faults to *fault*, which may raise, and returns the readable part.


def read(data: bytes, fault: Fault) -> SecurityDescriptor:
    """Return the readable part of the descriptor that *data* is; call *fault* for each rule of hives that it breaks."""
    end = len(data)
    if end < _HEADER.size:
        fault(0, "sd-header", f"the descriptor has {end} bytes")
        return SecurityDescriptor()
    revision, manager, word, *parts = _HEADER.unpack_from(data)
    control = Control(word)
    if revision != 1 or not control & Control.SELF_RELATIVE:
        fault(0, "sd-header", f"the descriptor has revision {revision} and control flags 0x{control:04x}")
    owner, group, sacl, dacl = parts
    sids: dict[str, Sid | None] = {"owner": None, "group": None}
    for name, field_at, part in (("owner", 4, owner), ("group", 8, group)):
        if part == 0:
            fault(field_at, f"sd-{name}", f"the descriptor has no {name}")
        elif _inside(end, field_at, part, fault):
            sids[name] = _sid(data, part, end, fault)
    access = audit = None
    announced = bool(control & Control.DACL_PRESENT)
    if announced and dacl == 0:
        fault(16, "sd-dacl", f"the DACL is at {dacl} and the control flags are 0x{control:04x}")
    elif announced and _inside(end, 16, dacl, fault):
        access = _acl(data, dacl, end, fault)
    if sacl and control & Control.SACL_PRESENT and _inside(end, 12, sacl, fault):
        audit = _acl(data, sacl, end, fault)
    order = "".join(sorted("OGSD", key=dict(zip("OGSD", parts, strict=True)).__getitem__))
    return SecurityDescriptor(sids["owner"], sids["group"], access, audit, control, manager, order)


def _inside(size: int, field_at: int, part: int, fault: Fault) -> bool:
    """Check the offset of a part of a descriptor; the smallest part, an empty ACL or SID, has 8 bytes."""
    if part % 4 == 0 and _HEADER.size <= part <= size - 8:
        return True
    fault(field_at, "sd-bounds", f"a part is at {part:,} in a descriptor of {size:,} bytes")
    return False


def _sid(data: bytes, at: int, end: int, fault: Fault) -> Sid | None:
    revision, count = data[at : at + 2] if end - at >= 8 else (0, 0)
    if revision != 1 or count > 15 or 8 + 4 * count > end - at:
        wrong = f"a SID has revision {revision}, {count} sub-authorities and room for {end - at:,} bytes"
        fault(at, "sd-sid", wrong)
        return None
    return Sid(int.from_bytes(data[at + 2 : at + 8], "big"), struct.unpack_from(f"<{count}I", data, at + 8))


def _acl(data: bytes, at: int, end: int, fault: Fault) -> Acl | None:
    revision, _, size, count, _ = _ACL.unpack_from(data, at)
    if revision not in {2, 4} or size < _ACL.size or size % 4 or size > end - at:
        fault(at, "sd-acl", f"an ACL has revision {revision}, size {size:,} and room for {end - at:,} bytes")
        return None
    end = at + size
    at += _ACL.size
    aces: list[Ace | OpaqueAce] = []
    for _ in range(count):
        size = _ACE.unpack_from(data, at)[2] if end - at >= _ACE.size else 0
        if size < _ACE.size or size % 4 or size > end - at:
            fault(at, "sd-ace", f"an ACE has size {size:,} and room for {end - at:,} bytes")
            return None
        ace = _ace(data, at, at + size, fault)
        if ace is not None:
            aces.append(ace)
        at += size
    return Acl(tuple(aces), revision, data[at:end])


def _ace(data: bytes, at: int, end: int, fault: Fault) -> Ace | OpaqueAce | None:
    kind, flags, _ = _ACE.unpack_from(data, at)
    opaque = OpaqueAce(kind, flags, data[at + _ACE.size : end])
    if kind not in _PLAIN and kind not in OBJECT:
        return opaque
    here, guids, unknown = at + 8, 0, 0
    if kind in OBJECT:
        word = int.from_bytes(data[at + 8 : at + 12], "little") if end - at >= 12 else 0
        guids, unknown = word & 3, word & ~3
        here = at + 12 + 16 * guids.bit_count()
    sid = _sid(data, here, end, fault)
    if sid is None or unknown:
        return None if sid is None else opaque
    first = UUID(bytes_le=data[at + 12 : at + 28]) if guids & 1 else None
    second = UUID(bytes_le=data[here - 16 : here]) if guids & 2 else None
    rest = data[here + 8 + 4 * len(sid.sub_authorities) : end]
    return Ace(kind, flags, int.from_bytes(data[at + 4 : at + 8], "little"), sid, first, second, rest)


# Writing.


def _laid_out(descriptor: SecurityDescriptor) -> bytes:
    parts = {
        "O": _sid_bytes(descriptor.owner) if descriptor.owner else b"",
        "G": _sid_bytes(descriptor.group) if descriptor.group else b"",
        "S": _acl_bytes(descriptor.sacl) if descriptor.sacl else b"",
        "D": _acl_bytes(descriptor.dacl) if descriptor.dacl else b"",
    }
    offsets, body = dict.fromkeys("OGSD", 0), b""
    for name in descriptor.order:
        if parts[name]:
            offsets[name] = _HEADER.size + len(body)
            body += parts[name]
    return _HEADER.pack(1, descriptor.resource_manager, descriptor.control, *offsets.values()) + body


def _sid_bytes(sid: Sid) -> bytes:
    numbers = sid.sub_authorities
    return struct.pack(f"<BB6s{len(numbers)}I", 1, len(numbers), sid.authority.to_bytes(6, "big"), *numbers)


def _acl_bytes(acl: Acl) -> bytes:
    body = b"".join(map(ace_bytes, acl.aces)) + acl.slack
    return _ACL.pack(acl.revision, 0, _ACL.size + len(body), len(acl.aces), 0) + body


def ace_bytes(ace: Ace | OpaqueAce) -> bytes:
    """Return *ace* as bytes; raise struct.error or OverflowError if a number does not fit into its field."""
    if isinstance(ace, OpaqueAce):
        body = ace.body
    else:
        guids = [guid.bytes_le for guid in (ace.object_type, ace.inherited_type) if guid]
        announced = (ace.object_type is not None) + 2 * (ace.inherited_type is not None)
        announcement = struct.pack("<I", announced) if ace.kind in OBJECT else b""
        body = struct.pack("<I", ace.mask) + announcement + b"".join(guids) + _sid_bytes(ace.sid) + ace.data
    return _ACE.pack(ace.kind, ace.flags, _ACE.size + len(body)) + body
