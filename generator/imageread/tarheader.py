# SPDX-License-Identifier: Apache-2.0
"""Parse header blocks of a tar as Go's archive/tar does (readHeader in reader.go, format.go).

Formats: V7, USTAR and PAX (any version after the magic), GNU, and star, which has a shorter prefix and two times.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from .pax import is_64

_USTAR: Final = b"ustar\0"
_GNU: Final = b"ustar  \0"
_STAR: Final = b"tar\0"
_SECOND: Final = 10**9  # nanoseconds


class TarEntry(NamedTuple):
    """An entry of a tar: *kind* is the type flag; *name* and *target* are as stored, with any trailing slashes.

    Bytes that are invalid in UTF-8 become surrogates. *time* is the mtime of the header, in seconds since 1970;
    *records* are the PAX records. *offset* is where the entry's data starts, in bytes from the start of the tar.
    *modified*, *accessed* and *changed* are the times of the header, or of the records if they have them, in
    nanoseconds since 1970; None if missing.
    """

    name: str
    kind: str
    size: int
    target: str
    time: int
    mode: int
    records: Mapping[str, str]
    offset: int
    modified: int
    accessed: int | None
    changed: int | None


def parse(block: bytes, offset: int) -> TarEntry:
    """Return the entry of a header, a block of 512 bytes that ends at *offset*; raises ValueError if Go refuses it."""
    _check_sum(block)
    mode = _kept(block[100:124], 8)
    prefix, accessed, changed = b"", None, None
    if block[257:263] == _USTAR or block[257:265] == _GNU:
        _kept(block[329:345], 8)  # device
        if block[257:265] == _GNU:
            prefix, accessed, changed = _gnu(block)
        elif block[508:] == _STAR:
            prefix = _until_nul(block[345:476])
            accessed, changed = number(block[476:488]) * _SECOND, number(block[488:500]) * _SECOND
        else:
            prefix = _until_nul(block[345:500])
    name, target = text(prefix + b"/" + block[:100] if prefix else block[:100]), text(block[157:257])
    time, size = number(block[136:148]), number(block[124:136])
    return TarEntry(name, chr(block[156]), size, target, time, mode, {}, offset, time * _SECOND, accessed, changed)


@lru_cache(maxsize=256)  # most entries of a layer have the same mode, user and group
def _kept(fields: bytes, width: int) -> int:
    """Return the first of several numeric fields; raises ValueError if one is invalid."""
    numbers = [number(fields[at : at + width]) for at in range(0, len(fields), width)]
    return numbers[0]


def _check_sum(block: bytes) -> None:
    wanted, stored = sum(block) - sum(block[148:156]) + 8 * 32, _octal(block[148:156])  # the checksum counts as blanks
    if stored == wanted:
        return
    signed = wanted - 256 * sum(byte > 127 for byte in block[:148] + block[156:])
    if stored != signed:
        raise ValueError("not a tar header: its checksum is wrong")


def _gnu(block: bytes) -> tuple[bytes, int | None, int | None]:
    """Return the prefix and the times of a GNU header, which has times in place of USTAR's prefix.

    Go's writer before 2017 stored a prefix there nevertheless: if the times are invalid and the bytes are ASCII, they
    are the prefix.
    """
    try:
        accessed, changed = (number(field) if field[0] else None for field in (block[345:357], block[357:369]))
    except ValueError:
        prefix = _until_nul(block[345:500])
        return (prefix if prefix.isascii() else b""), None, None
    return b"", accessed and accessed * _SECOND, changed and changed * _SECOND


def number(field: bytes) -> int:
    """Return a numeric field: octal digits, or if the first bit is set, GNU's binary; raises ValueError."""
    if not field[0] & 0x80:
        return _octal(field)
    found = int.from_bytes(field, "big", signed=field[0] & 0x40 != 0)
    if not field[0] & 0x40:
        found &= (1 << (8 * len(field) - 1)) - 1
    if not is_64(found):
        raise ValueError("a number has more than 64 bits")
    return found


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits.isdigit():
        digits = digits.partition(b"\0")[0] or b"0"
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise ValueError("not a tar header: a number is not octal")
    return int(digits, 8)


def _until_nul(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def text(field: bytes) -> str:
    """Return a field's text up to its first NUL."""
    return _until_nul(field).decode("utf-8", "surrogateescape")
