# SPDX-License-Identifier: Apache-2.0
"""Recognize files by their first bytes, for errors about a file that is not a registry hive or not an image."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from typing import Final, NamedTuple


class FileKind(NamedTuple):
    """A kind of file: *magic* at *offset* in bytes, its name, and hints for users who need a hive or an image.

    ``{0}`` in a hint stands for the file's path.
    """

    magic: bytes
    name: str
    hive_hint: str
    image_hint: str
    offset: int = 0


HEAD: Final = 4100  # bytes from the start of a file that suffice for every kind

IMAGE_FORMS: Final = "give oci:DIR, oci-archive:FILE or docker-archive:FILE"
_HIVE: Final = r"give a file of the registry, such as Windows\System32\config\SOFTWARE"
_EXTRACT: Final = "extract the hive"
_DISK: Final = f"{_EXTRACT}: mount the disk and copy the file"
_CONTAINER: Final = "give a container image"
_SAVE: Final = r"save the key as a hive: reg save HKLM\KEY FILE"
_DOWNLOAD: Final = "download the file itself"
_LFS: Final = "fetch the file: git lfs pull"
_HAS_LOG: Final = "give the file beside it without .LOG in its name"


def _packed(magic: bytes, name: str, to_hive: str, to_archive: str) -> FileKind:
    """Return the kind of files that the command *to_hive* unpacks to a hive, and *to_archive* to an image's archive."""
    unpack = f"unpack it and give oci-archive:FILE or docker-archive:FILE: {to_archive} {{0}}"
    return FileKind(magic, name, f"{_EXTRACT}: {to_hive}", unpack)


def _exports() -> Iterator[FileKind]:
    """Yield the kinds of registry exports: by the headers of Windows 2000 and NT 4, in each encoding."""
    for header in ("Windows Registry Editor", "REGEDIT4"):
        wide, narrow = header.encode("utf-16-le"), header.encode("ascii")
        for magic in (BOM_UTF16_LE + wide, wide, BOM_UTF16_BE + header.encode("utf-16-be"), BOM_UTF8 + narrow, narrow):
            yield FileKind(
                magic, "the text of a registry export (.reg)", _SAVE, f"{_SAVE}, then: winscratch check-hive FILE"
            )


def _json(bracket: bytes, following: tuple[bytes, ...], hint: str) -> Iterator[FileKind]:
    """Yield the kinds of JSON documents that begin with *bracket*, by what follows it."""
    return (FileKind(bracket + mark, "a JSON document", _HIVE, hint) for mark in (*following, b"\n", b"\r\n", b" "))


HIVE: Final = FileKind(b"regf", "a registry hive", "", "winscratch check-hive {0}")
LOG: Final = FileKind(
    b"regf",
    "a transaction log of a registry hive (.LOG, .LOG1, .LOG2)",
    _HAS_LOG,
    f"{_HAS_LOG}: winscratch check-hive HIVE",
)
TAR: Final = FileKind(
    b"ustar",
    "a tar",
    f"{_EXTRACT}: tar -xf {{0}}",
    "give oci-archive:{0} or docker-archive:{0}; for a layer: winscratch inspect {0}",
    257,
)
GZIP: Final = _packed(b"\x1f\x8b", "a gzip file", "gzip -dc {0} >HIVE", "gunzip -k")
ZSTD: Final = _packed(b"\x28\xb5\x2f\xfd", "a zstd file", "zstd -dc {0} >HIVE", "unzstd")

KINDS: Final[tuple[FileKind, ...]] = (
    *_exports(),
    FileKind(b"CREG", "a registry of Windows 95, 98 or Me", "give one of Windows NT or later", _CONTAINER),
    TAR,
    GZIP,
    ZSTD,
    _packed(b"\xfd7zXZ\0", "an xz file", "xz -dc {0} >HIVE", "unxz -k"),
    _packed(b"BZh", "a bzip2 file", "bzip2 -dc {0} >HIVE", "bunzip2 -k"),
    FileKind(
        b"PK\3\4",
        "a zip file",
        f"{_EXTRACT}: unzip {{0}}",
        "unzip it; to make an image of its files: winscratch image DIR --to oci:out",
    ),
    _packed(b"7z\xbc\xaf\x27\x1c", "a 7-Zip file", "7z x {0}", "7z x"),
    FileKind(b"MSCF", "a cabinet file", f"{_EXTRACT}: cabextract {{0}}", _CONTAINER),
    FileKind(
        b"MSWIM\0\0\0",
        "a Windows image file (WIM)",
        f"{_EXTRACT}: wimlib-imagex extract {{0}} 1 /Windows/System32/config",
        _CONTAINER,
    ),
    FileKind(b"vhdxfile", "a virtual disk (VHDX)", _DISK, _CONTAINER),
    FileKind(b"conectix", "a virtual disk (VHD)", _DISK, _CONTAINER),
    FileKind(b"QFI\xfb", "a virtual disk (QCOW)", _DISK, _CONTAINER),
    FileKind(b"\x7fELF", "a program for Linux (ELF)", _HIVE, "an image for Windows needs a program for Windows"),
    FileKind(b"MZ", "a program for Windows", _HIVE, "make an image: winscratch image {0} --to oci:out"),
    FileKind(b"ElfFile\0", "a Windows event log", _HIVE, _CONTAINER),
    FileKind(b"SQLite format 3\0", "an SQLite database", _HIVE, _CONTAINER),
    FileKind(b"version https://git-lfs.github.com/", "a pointer of Git LFS", _LFS, _LFS),
    FileKind(b"<!DOCTYPE html", "a web page", _DOWNLOAD, _DOWNLOAD),
    FileKind(b"<html", "a web page", _DOWNLOAD, _DOWNLOAD),
    FileKind(b"<?xml", "an XML document", _HIVE, _CONTAINER),
    *_json(b"{", (b'"', b"}"), "give the layout that it is in: oci:DIR"),
    *_json(b"[", (b"{", b"]"), "give the archive that it is in: docker-archive:FILE"),
)

_LOG_TYPES: Final = frozenset({1, 2, 6})  # of a base block: logs before Windows 8.1, and the logs since then


def file_kind(head: bytes) -> FileKind | None:
    """Return the kind of the file that begins with *head*, or None if it is unknown.

    *head* is the file's first HEAD bytes, or all of a shorter file. HIVE is returned for damaged hives too. A log has
    the base block of a hive with its own file type, and no bins behind it. Source for logs:
    msuhanov/windows-registry-file-format-specification, "Old format" and "New format" of transaction log files.
    """
    if head.startswith(HIVE.magic):
        file_type = int.from_bytes(head[28:32], "little")
        return LOG if file_type in _LOG_TYPES and head[4096:HEAD] != b"hbin" else HIVE
    return next((kind for kind in KINDS if head.startswith(kind.magic, kind.offset)), None)
