# SPDX-License-Identifier: Apache-2.0
"""Files that are mistaken for registry hives, recognized by their first bytes."""

from typing import Final, NamedTuple

from . import structures as s
from .cells import Buffer


class Kind(NamedTuple):
    """A kind of file: *magic* at *offset* in bytes, a name for it, and the hint: what to give in its place."""

    offset: int
    magic: bytes
    name: str
    hint: str


HEAD: Final = s.BASE + 4  # bytes from the start of a file that are enough to know its kind

_EXPORT: Final = "the text of a registry export (.reg)"
_SAVE: Final = r"save the key as a hive: reg save HKLM\KEY FILE"
_LOG: Final = "a hive's transaction log (.LOG, .LOG1, .LOG2)"
_NO_LOG: Final = "give the file beside it without .LOG in its name"
_CONFIG: Final = r"give a file of the registry, such as Windows\System32\config\SOFTWARE"
_EXTRACT: Final = "extract the hive"
_UTF16: Final = b"\xff\xfe"
_HEADERS: Final = ("Windows Registry Editor", "REGEDIT4")

KINDS: Final[tuple[Kind, ...]] = (
    *(
        Kind(0, mark + header.encode(code), _EXPORT, _SAVE)
        for header in _HEADERS
        for mark, code in ((_UTF16, "utf-16-le"), (b"", "utf-16-le"), (b"\xef\xbb\xbf", "ascii"), (b"", "ascii"))
    ),
    Kind(0, b"CREG", "a registry of Windows 95, 98 or Me", "give one of Windows NT or later"),
    Kind(0, b"\x1f\x8b", "gzip data", f"{_EXTRACT}: gzip -dc FILE >HIVE"),
    Kind(0, b"\xfd7zXZ\0", "xz data", f"{_EXTRACT}: xz -dc FILE >HIVE"),
    Kind(0, b"\x28\xb5\x2f\xfd", "Zstandard data", f"{_EXTRACT}: zstd -dc FILE >HIVE"),
    Kind(0, b"BZh", "bzip2 data", f"{_EXTRACT}: bzip2 -dc FILE >HIVE"),
    Kind(0, b"PK\3\4", "a ZIP archive", f"{_EXTRACT}: unzip FILE"),
    Kind(0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", f"{_EXTRACT}: 7z x FILE"),
    Kind(0, b"MSCF", "a cabinet file", f"{_EXTRACT}: cabextract FILE"),
    Kind(257, b"ustar", "a tar archive", f"{_EXTRACT}: tar -xf FILE"),
    Kind(0, b"MSWIM\0\0\0", "a WIM image", f"{_EXTRACT}: wimlib-imagex extract FILE 1 /Windows/System32/config"),
    Kind(0, b"vhdxfile", "a virtual disk (VHDX)", f"{_EXTRACT}: mount the disk and copy the file"),
    Kind(0, b"conectix", "a virtual disk (VHD)", f"{_EXTRACT}: mount the disk and copy the file"),
    Kind(0, b"QFI\xfb", "a virtual disk (QCOW)", f"{_EXTRACT}: mount the disk and copy the file"),
    Kind(0, b"\x7fELF", "an ELF program or library", _CONFIG),
    Kind(0, b"MZ", "a Windows program or library", _CONFIG),
    Kind(0, b"ElfFile\0", "a Windows event log", _CONFIG),
    Kind(0, b"SQLite format 3\0", "an SQLite database", _CONFIG),
    Kind(0, b"version https://git-lfs.github.com/", "a pointer of Git LFS", "fetch the file: git lfs pull"),
    Kind(0, b"<!DOCTYPE html", "a web page", "download the file itself"),
    Kind(0, b"<html", "a web page", "download the file itself"),
    Kind(0, b"<?xml", "an XML document", _CONFIG),
)

_LOG_TYPES: Final = frozenset({1, 2, 6})  # of a base block: logs before Windows 8.1, and the logs since then


def not_a_hive(data: Buffer) -> str:
    """Return what a file is, by its first HEAD bytes, if that is known and not a hive; else an empty string.

    The text is the rest of an error message behind the file's name: what the file is, and a hint. Source for logs:
    msuhanov/windows-registry-file-format-specification, "Old format" and "New format" of transaction log files.
    """
    head = bytes(data[:HEAD])
    if head[:4] == b"regf":
        file_type = int.from_bytes(head[28:32], "little")
        is_log = file_type in _LOG_TYPES and head[s.BASE :] != b"hbin"
        return _message(_LOG, _NO_LOG) if is_log else ""
    for kind in KINDS:
        if head.startswith(kind.magic, kind.offset):
            return _message(kind.name, kind.hint)
    return ""


def _message(name: str, hint: str) -> str:
    return f"not a hive: {name}; hint: {hint}"
