# SPDX-License-Identifier: Apache-2.0
"""The PAX records that Windows reads of an entry: are they of a form that it reads, and do they say what is meant?"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from ..base.errors import brief
from ..imageread.untar import DIRECTORY, SYMBOLIC_LINK, Entry
from ..oci.files import facts
from ..security import descriptor, sddl

Tell = Callable[[str, str], None]
"""What is told of an entry's fault: the rule and what was found."""

_TIME: Final = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]*)?")
_SDDL: Final = "MSWINDOWS.sd"
_XATTR: Final = "MSWINDOWS.xattr."
_MOUNT_POINT: Final = "MSWINDOWS.mountpoint"
_MOST: Final = 1 << 17  # characters of a value that is taken apart


def check(entry: Entry, on_top: bool, tell: Tell) -> int:
    """Tell of each record of *entry* that is wrong; return the entry's attributes as Windows has them.

    What is below Files in a layer *on_top* is asked for records that a base layer does without.
    """
    records = entry.records
    _times(entry, tell)
    _descriptor(records, tell)
    if on_top:
        _lacking(entry, tell)
    for key, value in records.items():
        if key.startswith(_XATTR) and _decoded(value) is None:
            tell("record", f"{brief(key)} is {brief(value)}, which is no padded base64")
    if _MOUNT_POINT in records and entry.kind != SYMBOLIC_LINK:
        tell("record", f"{_MOUNT_POINT} is on an entry that is no symbolic link")
    return _attributes(entry, tell)


def _lacking(entry: Entry, tell: Tell) -> None:
    """Tell of what Windows fills in where a layer on top does not say it."""
    if lost := [key for key in ("atime", "ctime") if not entry.records.get(key)]:
        tell("time-missing", f"there is no {' and no '.join(lost)}")
    key = facts().records.descriptor
    if entry.kind != DIRECTORY and key not in entry.records and _SDDL not in entry.records:
        tell("descriptor-missing", f"there is no {key}")


def _attributes(entry: Entry, tell: Tell) -> int:
    known = facts()
    implied = known.attributes.directory if entry.kind == DIRECTORY else 0
    text = entry.records.get(known.records.attributes)
    if text is None:
        return implied
    if not re.fullmatch("[0-9]{1,20}", text) or int(text) >= 1 << 32:
        tell("attributes", f"{known.records.attributes} is {brief(text)}")
        return implied
    number = int(text)
    if entry.kind != SYMBOLIC_LINK and bool(number & known.attributes.directory) != (entry.kind == DIRECTORY):
        tell("attributes", f"{known.records.attributes} is {number} for a {_kind(entry)}")
    return number | implied


def _kind(entry: Entry) -> str:
    return "directory" if entry.kind == DIRECTORY else "file"


def _descriptor(records: Mapping[str, str], tell: Tell) -> None:
    key = facts().records.descriptor
    if (text := records.get(key)) is not None:
        if wrong := _wrong_descriptor(text):
            tell("descriptor", f"{key} is {brief(text)}: {wrong}")
    elif (text := records.get(_SDDL)) is not None:
        try:
            sddl.from_text(text[:_MOST])
        except sddl.SddlError as error:
            tell("descriptor", f"{_SDDL} is {brief(text)}: at character {error.position + 1}: {error}")


@lru_cache(maxsize=32)  # most entries have one of a few
def _wrong_descriptor(text: str) -> str | None:
    """Return the first fault of a descriptor in base64, but not of parts that only a hive's must have, or None."""
    data = _decoded(text)
    if data is None:
        return "no padded base64"
    if len(data) > facts().limits.descriptor:
        return f"the descriptor has {len(data):,} bytes"
    faults: list[str] = []

    def fault(_: int, rule: str, message: str) -> None:
        if rule not in descriptor.ONLY_IN_HIVES:
            faults.append(message)

    descriptor.check(data, 0, len(data), fault)
    return faults[0] if faults else None


def _decoded(text: str) -> bytes | None:
    """Return what base64 says as Go reads it, which passes over the ends of lines; None where it is none."""
    try:
        return base64.b64decode(text.translate({10: None, 13: None}).encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None


def _times(entry: Entry, tell: Tell) -> None:
    keys = ("mtime", "atime", "ctime", facts().records.created)
    texts = {key: entry.records[key] for key in keys if entry.records.get(key)}
    limits = facts().limits
    for key, text in texts.items():
        if not _TIME.fullmatch(text):
            tell("time", f"{key} is {brief(text)}")
            return
        if not limits.time_least <= _nanoseconds(text) <= limits.time_most:
            tell("time", f"{key} is {brief(text)}, which is out of range")
            return
    if "mtime" not in texts and not limits.time_least <= entry.time * 10**9 <= limits.time_most:
        tell("time", f"the header's time is {entry.time}, which is out of range")
    _fraction(texts.get("mtime", str(entry.time)), texts.get(facts().records.created), tell)


def _fraction(modified: str, created: str | None, tell: Tell) -> None:
    """Tell of a creation time that is the time of modification less the zeros after the point, as builders write it."""
    seconds, _, fraction = (created or "").partition(".")
    whole, _, wanted = modified.partition(".")
    bare = wanted.ljust(9, "0").lstrip("0")
    if created and fraction and seconds == whole and wanted.startswith("0") and fraction == bare:
        tell("time-fraction", f"{facts().records.created} is {created}, where {modified} is meant")


def _nanoseconds(text: str) -> int:
    seconds, _, fraction = text.partition(".")
    part = int((fraction + "0" * 9)[:9])
    return int(seconds) * 10**9 + (-part if seconds.startswith("-") else part)
