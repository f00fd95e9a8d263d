# SPDX-License-Identifier: Apache-2.0
"""Convert SDDL, the text form of security descriptors such as `O:BAG:SYD:(A;OICI;FA;;;BA)`, to records and back.

O: and G: are the owner and the group; D: and S: are lists, each with its flags and its entries in parentheses:
type; flags; rights; a GUID and an inherited one, of directory services; and the SID. tables.py has the words.

to_text() writes the text of Windows' ConvertSecurityDescriptorToStringSecurityDescriptor. from_text() reads the text
of its counterpart, but only in upper case, without spaces, and without entries that carry a condition or claims.
Source: Microsoft, [MS-DTYP] 2.5.1.1.
"""

import re
from typing import Final
from uuid import UUID

from ..base.errors import shorten
from . import tables
from .descriptor import OBJECT, Ace, Acl, Control, OpaqueAce, SecurityDescriptor, Sid, ace_bytes

_PART: Final = re.compile(r"([OGDS]):")
_SID: Final = re.compile(r"S-1-(0x[0-9A-Fa-f]+|[0-9]+)((?:-[0-9]+)+)")
_ALIASES: Final = {sid: alias for alias, sid in tables.SIDS.items()}
_ALIAS: Final = re.compile(r"[A-Z]{2}")
_NUMBER: Final = re.compile(r"0[xX][0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*")
_KIND: Final = re.compile(r"\(([A-Z]*);")
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_LIST_FLAG: Final = re.compile("|".join([*tables.CONTROL, tables.NULL_ACL]))
_RIGHTS: Final = {**tables.BITS, **tables.SETS}
_MOST: Final = 0xFFFF  # bytes of a list

# The descriptor's flags that stand for the words of a list: its presence first, then those of tables.CONTROL.
_LIST_CONTROL: Final = {
    letter: [Control[f"{letter}ACL_{word}"] for word in ("PRESENT", "PROTECTED", "AUTO_INHERIT_REQ", "AUTO_INHERITED")]
    for letter in "DS"
}


class SddlError(ValueError):
    """Invalid SDDL; *position* is the index of the first invalid character, from 0."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(message)
        self.position = position


def from_text(text: str) -> SecurityDescriptor:
    """Return the descriptor of the SDDL *text*; raise SddlError at the first invalid character."""
    sids: dict[str, Sid] = {}
    lists: dict[str, Acl | None] = {}
    control = Control.SELF_RELATIVE
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise SddlError(at, f"O:, G:, D: or S: must stand here, not {_shown(text[at:])}")
        name = part[1]
        if name in sids or name in lists:
            raise SddlError(at, f"a second {name}:")
        if name in "OG":
            sids[name], at = _sid(text, part.end())
        else:
            lists[name], flags, at = _acl(name, text, part.end())
            control |= flags
    return SecurityDescriptor(sids.get("O"), sids.get("G"), lists.get("D"), lists.get("S"), control)


def to_text(descriptor: SecurityDescriptor) -> str:
    """Return *descriptor* as SDDL; raise ValueError for parts that SDDL cannot express.

    As by Windows, the flags for defaults, the resource manager's byte and unused bytes are left out.
    """
    text = f"O:{_sid_text(descriptor.owner)}" if descriptor.owner else ""
    text += f"G:{_sid_text(descriptor.group)}" if descriptor.group else ""
    for name, acl in (("D", descriptor.dacl), ("S", descriptor.sacl)):
        present, *flags = _LIST_CONTROL[name]
        if descriptor.control & present:
            words = (word for word, flag in zip(tables.CONTROL, flags, strict=True) if descriptor.control & flag)
            entries = tables.NULL_ACL if acl is None else "".join(_ace_text(name, ace) for ace in acl.aces)
            text += f"{name}:{''.join(words)}{entries}"
    return text


# Reading: each function takes the text and the index of its part, and also returns the index behind the part.


def _sid(text: str, at: int) -> tuple[Sid, int]:
    if (alias := _ALIAS.match(text, at)) is not None:
        if alias[0] in tables.OF_A_DOMAIN:
            raise SddlError(at, f"{alias[0]} is another SID on every machine or domain; give it as S-1-5-21-…")
        if alias[0] not in tables.SIDS:
            raise SddlError(at, f"unknown alias {alias[0]}")
        return _sid(tables.SIDS[alias[0]], 0)[0], alias.end()
    found = _SID.match(text, at)
    if found is None:
        wanted = "an alias such as BA, or a SID such as S-1-5-32-544,"
        raise SddlError(at, f"{wanted} must stand here, not {_shown(text[at:])}")
    values: list[int] = []
    start = at + len("S-1-")
    for digits in found[0].split("-")[2:]:
        values.append(_number(digits, start, 48 if digits.startswith("0x") else 32))
        start += len(digits) + 1
    if len(values) > 16:
        raise SddlError(at, f"a SID has 15 sub-authorities at most, not {len(values) - 1}")
    return Sid(values[0], tuple(values[1:])), found.end()


def _acl(name: str, text: str, at: int) -> tuple[Acl | None, Control, int]:
    present, *known = _LIST_CONTROL[name]
    control, null = present, False
    while (word := _LIST_FLAG.match(text, at)) is not None:
        if word[0] == tables.NULL_ACL:
            null = True
        else:
            control |= known[tables.CONTROL.index(word[0])]
        at = word.end()
    aces: list[Ace] = []
    size = 8
    while text.startswith("(", at):
        if null:
            raise SddlError(at, f"{tables.NULL_ACL} leaves no room for entries")
        ace, end = _ace(name, text, at)
        size += len(ace_bytes(ace))
        if size > _MOST:
            raise SddlError(at, f"with this entry the list has {size:,} bytes of {_MOST:,} at most")
        aces.append(ace)
        at = end
    revision = 4 if any(ace.kind in OBJECT for ace in aces) else 2
    return None if null else Acl(tuple(aces), revision), control, at


def _ace(name: str, text: str, at: int) -> tuple[Ace, int]:
    kind_word = _KIND.match(text, at)
    if kind_word is None:
        raise SddlError(at + 1, "a type such as A and a semicolon must stand here")
    if kind_word[1] in tables.EXTENDED:
        raise SddlError(at + 1, f"{kind_word[1]} entries, which carry a condition or claims, cannot be given as text")
    kind = tables.KINDS[name].get(kind_word[1])
    if kind is None:
        known = ", ".join(tables.KINDS[name])
        raise SddlError(at + 1, f"unknown type {_shown(kind_word[1])} of entries in {name}:; it has {known}")
    end = text.find(")", at)
    if end < 0:
        raise SddlError(at, "this parenthesis is not closed")
    fields = text[at + 1 : end].split(";")
    if len(fields) != 6:
        raise SddlError(at, f"an entry has 6 fields with 5 semicolons between them, not {len(fields)}")
    starts = [at + 1 + sum(len(field) + 1 for field in fields[:number]) for number in range(6)]
    flags = _words(fields[1], starts[1], tables.FLAGS, "flag")
    mask = _rights(fields[2], starts[2], kind)
    object_type, inherited_type = _guid(fields[3], starts[3]), _guid(fields[4], starts[4])
    if (object_type or inherited_type) and kind not in OBJECT:
        raise SddlError(starts[3 if object_type else 4], f"only object entries have a GUID, not {kind_word[1]}")
    sid, behind = _sid(text, starts[5])
    if behind != end:
        raise SddlError(behind, f"a closing parenthesis must stand here, not {_shown(text[behind:end])}")
    if object_type is None and inherited_type is None:
        kind = tables.OBJECT_TO_PLAIN.get(kind, kind)
    return Ace(kind, flags, mask, sid, object_type, inherited_type), end + 1


def _rights(field: str, at: int, kind: int) -> int:
    if field[:1].isdecimal():
        if _NUMBER.fullmatch(field) is None:
            raise SddlError(at, f"invalid number {_shown(field)}: 0x starts hexadecimal digits, 0 octal ones")
        return _number(field, at, 32, octal=True)
    return _words(field, at, tables.LABEL_BITS if kind == tables.MANDATORY_LABEL else _RIGHTS, "right")


def _number(digits: str, at: int, bits: int, *, octal: bool = False) -> int:
    """Return the value of *digits*: hexadecimal behind 0x and, if *octal* is allowed, octal behind 0."""
    base = 16 if digits[1:2] in {"x", "X"} else 8 if octal and digits.startswith("0") else 10
    significant = digits[2 if base == 16 else 0 :].lstrip("0")
    value = int(significant[:20] or "0", base)  # 20 digits of any base are too many
    if value >> bits:
        raise SddlError(at, f"{_shown(digits)} does not fit into {bits} bits")
    return value


def _words(field: str, at: int, words: dict[str, int], what: str) -> int:
    """Return the sum of the two-letter words of *field*."""
    value = 0
    for start in range(0, len(field), 2):
        word = field[start : start + 2]
        if word not in words:
            raise SddlError(at + start, f"unknown {what} {_shown(word)}")
        value |= words[word]
    return value


def _guid(field: str, at: int) -> UUID | None:
    if field and _GUID.fullmatch(field) is None:
        raise SddlError(at, f"invalid GUID {_shown(field)}; use the form 00299570-246d-11d0-a768-00aa006e0529")
    return UUID(field) if field else None


def _shown(text: str) -> str:
    return repr(shorten(text, 20)) if text else "nothing"


# Writing.


def _sid_text(sid: Sid) -> str:
    if not sid.sub_authorities:
        raise ValueError(f"the SID {sid} has no sub-authority, and SDDL no form for that")
    return _ALIASES.get(str(sid), str(sid))


def _ace_text(name: str, ace: Ace | OpaqueAce) -> str:
    kind = next((word for word, number in tables.KINDS[name].items() if number == ace.kind), None)
    if isinstance(ace, OpaqueAce) or kind is None or ace.data:
        raise ValueError(f"{name}: has an entry of type {ace.kind} that SDDL's plain entries have no form for")
    flags = "".join(word for word, bit in tables.FLAGS.items() if ace.flags & bit)
    guids = (str(guid or "") for guid in (ace.object_type, ace.inherited_type))
    return f"({';'.join([kind, flags, _rights_text(ace), *guids, _sid_text(ace.sid)])})"


def _rights_text(ace: Ace) -> str:
    label = ace.kind == tables.MANDATORY_LABEL
    bits, sets = (tables.LABEL_BITS, {}) if label else (tables.BITS, tables.SETS)
    for word, mask in sets.items():
        if mask == ace.mask:
            return word
    words = "".join(word for word, bit in bits.items() if ace.mask & bit)
    return f"0x{ace.mask:x}" if ace.mask & ~sum(bits.values()) else words
