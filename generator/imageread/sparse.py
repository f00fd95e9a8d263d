# SPDX-License-Identifier: Apache-2.0
"""Sparse files of PAX tars, formats 0.0, 0.1 and 1.0 of GNU tar, as Go's archive/tar reads them (reader.go)."""

import re
from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ..oci.tar import BLOCK
from .pax import SPARSE, integer

_MOST: Final = 1 << 20  # bytes of a map, archive/tar's limit
_IN_RECORDS: Final = {("0", "0"), ("0", "1")}  # versions of the format with the map in PAX records
_FIELD: Final = re.compile("(?:^|,)([^,]*)")


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
        self._check()
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

    def _check(self) -> None:
        end = 0
        for at in range(0, len(self._map), 2):
            start, size = self._map[at], self._map[at + 1]
            if start < end or size < 0 or start + size > self.size:
                raise ValueError("the map of a sparse file has ranges that overlap or exceed the file")
            end = start + size


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
    found = array("q")
    wanted = 1
    for line in _lines(read):
        found.append(_number(line))
        if len(found) == 1:
            if found[0] < 0:
                raise ValueError("the map of a sparse file has a negative length")
            wanted += 2 * found[0]
        if len(found) == wanted:
            break
    return found[1:]


def _lines(read: Callable[[int], bytes]) -> Iterator[str]:
    """Yield the map's lines; read each block only when its first line is needed."""
    rest = b""
    for _ in range(_MOST // BLOCK):
        *lines, rest = (rest + read(BLOCK)).split(b"\n")
        yield from (line.decode("ascii", "replace") for line in lines)
    raise ValueError("the map of a sparse file is too long")
