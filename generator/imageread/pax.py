# SPDX-License-Identifier: Apache-2.0
"""Parse PAX records, and their numbers and times, as Go's archive/tar does (strconv.go, reader.go).

Go is more liberal than POSIX: numbers may have a plus sign and leading zeros, values may be any bytes.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

SPARSE: Final = "GNU.sparse."
_SPARSE_PAIR: Final = (f"{SPARSE}offset", f"{SPARSE}numbytes")
_WITHOUT_NUL: Final = frozenset({"path", "linkpath", "uname", "gname"})
_RECORD: Final = re.compile(r"\+?0*([0-9]{1,7}) ")
_LEAST: Final = 5  # bytes of the shortest record
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_TIME: Final = re.compile(r"([+-]?[0-9]+)(?:\.([0-9]*))?")
_DIGITS: Final = 19  # digits of the largest signed 64-bit number
_KEPT: Final = 2000  # bytes of records; longer ones are not cached
_SHORT: Final = 40  # characters; times with more are not cached


def records(data: bytes) -> Mapping[str, str]:
    """Return the values of the records in *data* by key; the last value of a repeated key counts.

    Bytes that are invalid in UTF-8 become surrogates. GNU's sparse format 0.0 repeats a pair of keys; its pairs become
    the one record of format 0.1. Raises ValueError if *data* is malformed.
    """
    return _cached(data) if len(data) <= _KEPT else _parsed(data)


@lru_cache(maxsize=256)  # most entries of a layer have the same times and descriptor
def _cached(data: bytes) -> Mapping[str, str]:
    return _parsed(data)


def _parsed(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    pairs: list[str] = []
    here, size = 0, len(data)
    text = data.decode("latin-1")  # one character for each byte, so that offsets agree
    plain, sparse = text.isascii(), SPARSE in text
    while here < size:
        head = _RECORD.match(text, here)
        end = here + int(head[1]) if head else 0
        if head is None or end - here < _LEAST or not head.end() < end <= size or text[end - 1] != "\n":
            raise ValueError("the PAX records are damaged")
        key, equals, value = text[head.end() : end - 1].partition("=")
        if not key or not equals or "\0" in key or ("\0" in value and key in _WITHOUT_NUL):
            raise ValueError("a PAX record has no key, or a NUL")
        if sparse and key in _SPARSE_PAIR:
            if key != _SPARSE_PAIR[len(pairs) % 2] or "," in value:
                raise ValueError("the PAX records of a sparse file are out of order")
            pairs.append(value)
        elif plain:
            found[key] = value
        else:
            found[_utf_8(key)] = _utf_8(value)
        here = end
    if pairs:
        found[f"{SPARSE}map"] = _utf_8(",".join(pairs))
    return found


def _utf_8(text: str) -> str:
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogateescape")


def integer(text: str) -> int | None:
    """Return a decimal number as Go's strconv.ParseInt reads it, or None if it is invalid or has more than 64 bits."""
    if not _INTEGER.fullmatch(text):
        return None
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) > _DIGITS:
        return None
    number = int(digits or "0")
    number = -number if text[0] == "-" else number
    return number if is_64(number) else None


def time(text: str) -> int | None:
    """Return a time in nanoseconds since 1970, truncated to nine decimals, or None if it is invalid."""
    return _kept(text) if len(text) <= _SHORT else _time(text)


def _time(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    seconds = integer(found[1]) if found else None
    if found is None or seconds is None:
        return None
    part = int(((found[2] or "") + "0" * 9)[:9])
    return seconds * 10**9 + (-part if text[0] == "-" else part)


_kept = lru_cache(maxsize=1024)(_time)  # the entries of a layer share few distinct times


def is_64(number: int) -> bool:
    """Return whether a number fits into a signed 64-bit integer."""
    return -1 << 63 <= number < 1 << 63
