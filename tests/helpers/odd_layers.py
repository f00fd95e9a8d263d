# SPDX-License-Identifier: Apache-2.0
"""Layers with one oddity each, for the table of import rules."""

import tarfile
from collections.abc import Callable, Sequence

from .layouts import CONFIG, RECORDS, ROOTS, Part, base, directory, parts_of, tarred


def top(*parts: Part) -> Callable[[], list[bytes]]:
    """Return a layer on top of a base layer with UtilityVM."""
    return lambda: [base(), tarred([*ROOTS, *parts])]


def on(name: str, *parts: Part) -> Callable[[], list[bytes]]:
    return lambda: [base(name), tarred([*ROOTS, *parts])]


def low(
    *parts: Part, without: str = "", change: Callable[[Part], Part] = lambda part: part
) -> Callable[[], list[bytes]]:
    """Return a base layer with *parts* besides, *without* one of its own, and others changed."""
    return lambda: [tarred([*(change(part) for part in parts_of(base()) if part.name != without), *parts])]


def layers(*rows: Sequence[Part]) -> Callable[[], list[bytes]]:
    """Return a base layer and more on top of it."""
    return lambda: [base(), *(tarred([*ROOTS, *row]) for row in rows)]


def raw(*blocks: bytes, end: bytes = bytes(1024)) -> Callable[[], list[bytes]]:
    """Return a layer on top that ends with *blocks* as they are."""
    return lambda: [base(), tarred(ROOTS)[:-1024] + b"".join(blocks) + end]


def file(name: str, **records: str) -> Part:
    return Part(name, b"", tarfile.REGTYPE, "", RECORDS | records)


def kind(name: str, letter: bytes, data: bytes = b"") -> Part:
    return Part(name, data, letter)


def hard(name: str, target: str, **records: str) -> Part:
    return Part(name, b"", tarfile.LNKTYPE, target, records)


def symbolic(name: str, target: str, attributes: int = 1056, **records: str) -> Part:
    return Part(name, b"", tarfile.SYMTYPE, target, RECORDS | {"MSWINDOWS.fileattr": str(attributes)} | records)


def folder(name: str) -> Part:
    return directory(name, **RECORDS)


def pax(records: bytes | None = None, time: bytes = b"") -> bytes:
    """Return a PAX header with *records* as they are; without them, with those that a file on top must have."""
    if records is None:
        records = b"".join(record(key.encode(), value.encode()) for key, value in RECORDS.items())
    return header(b"PaxHeaders/x", len(records), type=b"x", time=time) + padded(records)


def record(key: bytes, value: bytes, zeros: int = 0) -> bytes:
    size = len(key) + len(value) + 3 + zeros
    size += len(str(size + len(str(size))))
    return b"0" * zeros + b"%d %s=%s\n" % (size, key, value)


_FIELDS = {
    "mode": (100, 8),
    "uid": (108, 8),
    "size": (124, 12),
    "time": (136, 12),
    "type": (156, 1),
    "magic": (257, 8),
    "device": (329, 8),
    "prefix": (345, 155),
    "gnu_atime": (345, 12),
    "star_prefix": (345, 131),
    "star_atime": (476, 12),
    "trailer": (508, 4),
}


def header(name: bytes, length: int = 0, *, signed: bool = False, **fields: bytes) -> bytes:
    """Return a header of ustar in which *fields* are as they are given."""
    block = bytearray(512)
    block[: len(name)] = name
    given = {"mode": b"0000644\0", "size": b"%011o\0" % length, "type": b"0", "magic": b"ustar\x0000"} | fields
    for field, value in given.items():
        at, width = _FIELDS[field]
        block[at : at + width] = value.ljust(width, b"\0")
    total = sum(block) + 8 * 32 - (256 * sum(byte > 127 for byte in block) if signed else 0)
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def sparse(*records: tuple[str, str], data: bytes) -> bytes:
    text = b"".join(record(f"GNU.sparse.{key}".encode(), value.encode()) for key, value in records)
    text += b"".join(record(key.encode(), value.encode()) for key, value in RECORDS.items())
    return pax(text) + header(b"Files/aa", len(data)) + padded(data)


def deep(length: int) -> tuple[Part, ...]:
    """Return a file whose path has *length* characters, and the directories on the way."""
    path = "Files"
    way = []
    while length - len(path) > 246 + 42:
        path += "/" + "d" * 245
        way.append(folder(path))
    return (*way, file(path + "/" + "f" * (length - len(path) - 1)))


def attributes(value: str, name: str = "Files/aa") -> Callable[[], list[bytes]]:
    return top(file(name, **{"MSWINDOWS.fileattr": value}))


def xattr(name: str, value: str) -> Callable[[], list[bytes]]:
    return top(file("Files/aa", **{f"MSWINDOWS.xattr.{name}": value}))


def encoded(size: int) -> str:
    return "AAAA" * (size // 3) + ("", "AA==", "AAA=")[size % 3]


BCD_FOLDER = "UtilityVM/Files/EFI/Microsoft/Boot"
BCD = f"{BCD_FOLDER}/BCD"
SAM = f"{CONFIG}/SAM"
HIVE = next(part.data for part in parts_of(base()) if part.name == SAM)
WAY = tuple(folder(CONFIG[:at]) for at in (13, 22, 29))  # Files/Windows and so on
UVM = directory("UtilityVM")
PAX = pax()
