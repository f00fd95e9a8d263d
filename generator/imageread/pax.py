# SPDX-License-Identifier: Apache-2.0
"""Parse PAX records, their numbers and times, and sparse files, as Go's archive/tar does (strconv.go, reader.go).

Go is more liberal than POSIX: numbers may have a plus sign and leading zeros, values may be any bytes. Sparse files
have GNU tar's formats 0.0, 0.1 and 1.0.
"""

import re
from array import array
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Final

from ..oci.tar import BLOCK

SPARSE: Final = "GNU.sparse."
_SPARSE_PAIR: Final = (f"{SPARSE}offset", f"{SPARSE}numbytes")
_WITHOUT_NUL: Final = frozenset({"path", "linkpath", "uname", "gname"})
_RECORD: Final = re.compile(r"\+?0*([0-9]{1,7}) ")
_LEAST: Final = 5  # bytes of the shortest record
_INTEGER: Final = re.compile(r"([+-]?)(?=[0-9])0*+([0-9]{0,19})")  # 19 digits: the largest number of 64 bits
_TIME: Final = re.compile(r"([+-]?[0-9]+)(?:\.([0-9]*))?")
_KEPT: Final = 2000  # bytes of records; longer ones are not cached
_SHORT: Final = 40  # characters; times with more are not cached
_MOST_MAP: Final = 1 << 20  # bytes of a sparse file's map, archive/tar's limit
_IN_RECORDS: Final = {("0", "0"), ("0", "1")}  # versions of the format with the map in PAX records
_FIELD: Final = re.compile("(?:^|,)([^,]*)")


def records(data: bytes) -> Mapping[str, str]:
    """Return the values of the records in *data* by key; the last value of a repeated key counts.

    Bytes that are invalid in UTF-8 become surrogates. GNU's sparse format 0.0 repeats a pair of keys; its pairs become
    the one record of format 0.1. Raises ValueError if *data* is malformed.
    """
    return _cached(data) if len(data) <= _KEPT else _parsed(data)


def _parsed(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    pairs: list[str] = []
    here, size = 0, len(data)
    text = data.decode("latin-1")  # one character for each byte, so that offsets agree
    sparse = SPARSE in text
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
        else:
            found[_utf_8(key)] = _utf_8(value)
        here = end
    if pairs:
        found[f"{SPARSE}map"] = _utf_8(",".join(pairs))
    return found


_cached = lru_cache(maxsize=256)(_parsed)  # most entries of a layer have the same times and descriptor


def _utf_8(text: str) -> str:
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogateescape")


def integer(text: str) -> int | None:
    """Return a decimal number as Go's strconv.ParseInt reads it, or None if it is invalid or has more than 64 bits."""
    found = _INTEGER.fullmatch(text)
    number = int(found[1] + (found[2] or "0")) if found else None
    return None if number is None or not is_64(number) else number


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


class SparseMap:
    """The map of a sparse file's data; *name* and *size* are the file's, *stored* is the number of stored bytes."""

    def __init__(self, records: Mapping[str, str], name: str, size: int, read: Callable[[int], bytes]) -> None:
        """Read the map from *records* or, for format 1.0, from the start of the data with *read*.

        *read* returns exactly as many bytes as it is called with, or raises. Raises ValueError if the map is invalid,
        or has a format that archive/tar reads as an ordinary file.
        """
        version = tuple(records.get(SPARSE + key, "") for key in ("major", "minor"))
        before_data = version == ("1", "0")
        if not before_data and version not in _IN_RECORDS and (version != ("", "") or not records.get(f"{SPARSE}map")):
            raise ValueError("a sparse file of an unknown format, which is read as it is stored")
        self.name = records.get(f"{SPARSE}name") or name
        real = records.get(f"{SPARSE}size") or records.get(f"{SPARSE}realsize")
        found = integer(real) if real else size
        if found is None or found < 0:
            raise ValueError("the size of a sparse file is invalid")
        self.size = found
        self._map = _stored(read) if before_data else _recorded(records)
        end = 0
        for at in range(0, len(self._map), 2):
            start, length = self._map[at], self._map[at + 1]
            if start < end or length < 0 or start + length > self.size:
                raise ValueError("the map of a sparse file has ranges that overlap or exceed the file")
            end = start + length
        self.stored = sum(self._map[1::2])
        self._next = 0  # index in the map of the first pair that ends after the position

    def at(self, here: int, most: int) -> tuple[bool, int]:
        """Return True for data at *here*, False for a hole, and the number of its bytes from there, up to *most*.

        *here* is an offset in bytes, which must not decrease from call to call.
        """
        while self._next < len(self._map):
            start, size = self._map[self._next], self._map[self._next + 1]
            if here < start:
                return False, min(most, start - here)
            if here < start + size:
                return True, min(most, start + size - here)
            self._next += 2
        return False, most


def _number(text: str) -> int:
    found = integer(text)
    if found is None:
        raise ValueError("the map of a sparse file has an invalid number")
    return found


def _recorded(records: Mapping[str, str]) -> "array[int]":
    """Return the offsets and sizes of a map in PAX records."""
    text = records.get(f"{SPARSE}map", "")
    found = array("q", (_number(each[1]) for each in _FIELD.finditer(text) if text))
    if _number(records.get(f"{SPARSE}numblocks", "")) * 2 != len(found):
        raise ValueError("the map of a sparse file does not have the length in its header")
    return found


def _stored(read: Callable[[int], bytes]) -> "array[int]":
    """Return the offsets and sizes of a map before the data: one number in each line, the count of pairs first."""
    lines = _lines(read)
    pairs = _number(next(lines))
    if pairs < 0:
        raise ValueError("the map of a sparse file has a negative length")
    return array("q", (_number(line) for line in islice(lines, min(2 * pairs, _MOST_MAP))))


def _lines(read: Callable[[int], bytes]) -> Iterator[str]:
    """Yield the map's lines; read each block only when its first line is needed."""
    rest = b""
    for _ in range(_MOST_MAP // BLOCK):
        *lines, rest = (rest + read(BLOCK)).split(b"\n")
        yield from (line.decode("ascii", "replace") for line in lines)
    raise ValueError("the map of a sparse file is too long")
