# SPDX-License-Identifier: Apache-2.0
"""Check the PAX records that Windows reads: attributes, security descriptors, times and extended attributes."""

import base64
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from ..base.errors import brief, counted
from ..imageread import pax
from ..imageread.untar import DIRECTORY, SYMBOLIC_LINK, TarEntry
from ..oci.files import facts
from ..security import descriptor, sddl

EntryFault = Callable[[str, str], None]
"""Callback for a fault of an entry: the rule, and what was found."""

_UNSIGNED: Final = re.compile("0*([0-9]{1,10})")
_BASE64: Final = re.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_SDDL: Final = "MSWINDOWS.sd"
_XATTR: Final = "MSWINDOWS.xattr."
_MOUNT_POINT: Final = "MSWINDOWS.mountpoint"
_MOST: Final = 1 << 17  # characters of a value that are parsed
_MOST_XATTR_NAME: Final = 255  # bytes, and those of a value: go-winio ea.go, FILE_FULL_EA_INFORMATION
_MOST_XATTR: Final = 65_535


def check(entry: TarEntry, on_top: bool, fault: EntryFault) -> int:
    """Report invalid records of *entry*; return the entry's attributes on Windows.

    *on_top*: the entry is below Files in a layer on top, and needs records that a base layer does without.
    """
    records = entry.records
    _times(entry, fault)
    _descriptor(records, fault)
    if on_top:
        _lacking(entry, fault)
    for key, value in records.items():
        if key.startswith(_XATTR) and (wrong := _wrong_xattr(key.removeprefix(_XATTR), value)):
            fault("record", f"{brief(key)} is {brief(value)}: {wrong}")
    if _MOUNT_POINT in records and entry.kind != SYMBOLIC_LINK:
        fault("record", f"{_MOUNT_POINT} is on an entry other than a symbolic link")
    return _attributes(entry, fault)


def has_security_or_xattrs(entry: TarEntry) -> bool:
    """Return whether *entry* has a security descriptor or extended attributes."""
    records = entry.records
    descriptor_of = records.get(facts().key("descriptor"), records.get(_SDDL))
    return bool(descriptor_of) or any(key.startswith(_XATTR) for key in records)


def _wrong_xattr(name: str, value: str) -> str | None:
    """Return the fault of an extended attribute, or None."""
    data = _decoded(value)
    if data is None:
        return "not padded base64"
    if len(name.encode("utf-8", "surrogateescape")) > _MOST_XATTR_NAME:
        return f"the name has more than {_MOST_XATTR_NAME} bytes"
    return f"the value has {counted(len(data), 'byte')}" if len(data) > _MOST_XATTR else None


def _lacking(entry: TarEntry, fault: EntryFault) -> None:
    """Report missing records that Windows fills in."""
    if lost := [key for key, time in (("atime", entry.accessed), ("ctime", entry.changed)) if time is None]:
        fault("time-missing", f"{' and '.join(lost)} missing")
    key = facts().key("descriptor")
    if entry.kind != DIRECTORY and key not in entry.records and _SDDL not in entry.records:
        fault("descriptor-missing", f"{key} is missing")


def attributes(entry: TarEntry) -> int | None:
    """Return the attributes of an entry on Windows, or None if their record is invalid."""
    implied = facts().attributes.directory if entry.kind == DIRECTORY else 0
    text = entry.records.get(facts().key("attributes"))
    if text is None:
        return implied
    found = _UNSIGNED.fullmatch(text)
    return int(found[1]) if found and int(found[1]) < 1 << 32 else None


def _attributes(entry: TarEntry, fault: EntryFault) -> int:
    known = facts()
    key, number = known.key("attributes"), attributes(entry)
    implied = known.attributes.directory if entry.kind == DIRECTORY else 0
    if number is None:
        fault("attributes", f"{key} is {brief(entry.records[key])}")
        return implied
    if entry.kind != SYMBOLIC_LINK and bool(number & known.attributes.directory) != (entry.kind == DIRECTORY):
        fault("attributes", f"{key} is {number} for a {'directory' if entry.kind == DIRECTORY else 'file'}")
    return number | implied


def _descriptor(records: Mapping[str, str], fault: EntryFault) -> None:
    key = facts().key("descriptor")
    if (text := records.get(key)) is not None:
        if wrong := _wrong_descriptor(text):
            fault("descriptor", f"{key} is {brief(text)}: {wrong}")
    elif (text := records.get(_SDDL)) is not None:
        try:
            sddl.from_text(text[:_MOST])
        except sddl.SddlError as error:
            fault("descriptor", f"{_SDDL} is {brief(text)}: at character {error.position + 1}: {error}")


@lru_cache(maxsize=32)  # most entries have one of a few
def _wrong_descriptor(text: str) -> str | None:
    """Return the first fault of a security descriptor in base64, or None; parts that only hives need may be absent."""
    data = _decoded(text)
    if data is None:
        return "not padded base64"
    if len(data) > facts().limits.descriptor:
        return f"the descriptor has {counted(len(data), 'byte')}"
    faults: list[str] = []

    def fault(_: int, rule: str, message: str) -> None:
        if rule not in descriptor.ONLY_IN_HIVES:
            faults.append(message)

    descriptor.read(data, fault)
    return faults[0] if faults else None


def _decoded(text: str) -> bytes | None:
    """Decode base64 as Go does, which skips line ends; return None if it is invalid."""
    text = text.translate({10: None, 13: None}) if "\n" in text or "\r" in text else text
    return base64.b64decode(text) if _BASE64.fullmatch(text) else None


def _times(entry: TarEntry, fault: EntryFault) -> None:
    key = facts().key("created")
    text = entry.records.get(key)
    created = None if text is None else pax.time(text)
    if text is not None and created is None:
        fault("time", f"{key} is {brief(text)}")
        return
    limits = facts().limits
    for name, time in (("mtime", entry.modified), ("atime", entry.accessed), ("ctime", entry.changed), (key, created)):
        if time is not None and not limits.time_least <= time <= limits.time_most:
            fault("time", f"{name} is {brief(entry.records.get(name) or str(time // 10**9))}, which is out of range")
            return
    if text:
        _fraction(entry.records.get("mtime") or str(entry.time), text, fault)


def _fraction(modified: str, created: str, fault: EntryFault) -> None:
    """Report a creation time that is the mtime without the zeros after the point, as some builders write it."""
    seconds, _, fraction = created.partition(".")
    whole, _, wanted = modified.partition(".")
    bare = wanted.ljust(9, "0").lstrip("0")
    if fraction and seconds == whole and wanted.startswith("0") and fraction == bare:
        key = facts().key("created")
        fault("time-fraction", f"{key} is {created}; allowed: {modified}")
