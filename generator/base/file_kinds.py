# SPDX-License-Identifier: Apache-2.0
"""Recognize files by their first bytes, for errors about a file that is not a registry hive or not an image."""

from typing import Final, NamedTuple


class FileKind(NamedTuple):
    """A kind of file: *magic* at *offset* in bytes, its name, and hints for users who need a hive or an image.

    ``{0}`` in a hint stands for the file's path.
    """

    offset: int
    magic: bytes
    name: str
    hive_hint: str
    image_hint: str


HEAD: Final = 4100  # bytes from the start of a file that suffice for every kind

IMAGE_FORMS: Final = "give oci:DIR, oci-archive:FILE or docker-archive:FILE"
_HIVE: Final = r"give a file of the registry, such as Windows\System32\config\SOFTWARE"
_EXTRACT: Final = "extract the hive"
_UNPACK: Final = "unpack it and give oci-archive:FILE or docker-archive:FILE"
_DISK: Final = f"{_EXTRACT}: mount the disk and copy the file"
_CONTAINER: Final = "give a container image"
_SAVE: Final = r"save the key as a hive: reg save HKLM\KEY FILE"
_DOWNLOAD: Final = "download the file itself"
_EDITOR: Final = "Windows Registry Editor"  # the header of exports since Windows 2000
_NT4: Final = "REGEDIT4"

HIVE: Final = FileKind(0, b"regf", "a registry hive", "", "winscratch check-hive {0}")
LOG: Final = FileKind(
    0,
    b"regf",
    "a transaction log of a registry hive (.LOG, .LOG1, .LOG2)",
    "give the file beside it without .LOG in its name",
    "give the file beside it without .LOG in its name: winscratch check-hive HIVE",
)
TAR: Final = FileKind(
    257,
    b"ustar",
    "a tar",
    f"{_EXTRACT}: tar -xf {{0}}",
    "give oci-archive:{0} or docker-archive:{0}; for a layer: winscratch inspect {0}",
)
GZIP: Final = FileKind(
    0, b"\x1f\x8b", "a gzip file", f"{_EXTRACT}: gzip -dc {{0}} >HIVE", f"{_UNPACK}: gunzip -k {{0}}"
)
ZSTD: Final = FileKind(
    0, b"\x28\xb5\x2f\xfd", "a zstd file", f"{_EXTRACT}: zstd -dc {{0}} >HIVE", f"{_UNPACK}: unzstd {{0}}"
)

KINDS: Final[tuple[FileKind, ...]] = (
    *(
        FileKind(
            0,
            mark + header.encode(code),
            "the text of a registry export (.reg)",
            _SAVE,
            f"{_SAVE}, then: winscratch check-hive FILE",
        )
        for header in (_EDITOR, _NT4)
        for mark, code in (
            (b"\xff\xfe", "utf-16-le"),
            (b"", "utf-16-le"),
            (b"\xfe\xff", "utf-16-be"),
            (b"\xef\xbb\xbf", "ascii"),
            (b"", "ascii"),
        )
    ),
    FileKind(0, b"CREG", "a registry of Windows 95, 98 or Me", "give one of Windows NT or later", _CONTAINER),
    TAR,
    GZIP,
    ZSTD,
    FileKind(0, b"\xfd7zXZ\0", "an xz file", f"{_EXTRACT}: xz -dc {{0}} >HIVE", f"{_UNPACK}: unxz -k {{0}}"),
    FileKind(0, b"BZh", "a bzip2 file", f"{_EXTRACT}: bzip2 -dc {{0}} >HIVE", f"{_UNPACK}: bunzip2 -k {{0}}"),
    FileKind(
        0,
        b"PK\3\4",
        "a zip file",
        f"{_EXTRACT}: unzip {{0}}",
        "unzip it; to make an image of its files: winscratch image DIR --to oci:out",
    ),
    FileKind(0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip file", f"{_EXTRACT}: 7z x {{0}}", f"{_UNPACK}: 7z x {{0}}"),
    FileKind(0, b"MSCF", "a cabinet file", f"{_EXTRACT}: cabextract {{0}}", _CONTAINER),
    FileKind(
        0,
        b"MSWIM\0\0\0",
        "a Windows image file (WIM)",
        f"{_EXTRACT}: wimlib-imagex extract {{0}} 1 /Windows/System32/config",
        _CONTAINER,
    ),
    FileKind(0, b"vhdxfile", "a virtual disk (VHDX)", _DISK, _CONTAINER),
    FileKind(0, b"conectix", "a virtual disk (VHD)", _DISK, _CONTAINER),
    FileKind(0, b"QFI\xfb", "a virtual disk (QCOW)", _DISK, _CONTAINER),
    FileKind(0, b"\x7fELF", "a program for Linux (ELF)", _HIVE, "an image for Windows needs a program for Windows"),
    FileKind(0, b"MZ", "a program for Windows", _HIVE, "make an image: winscratch image {0} --to oci:out"),
    FileKind(0, b"ElfFile\0", "a Windows event log", _HIVE, _CONTAINER),
    FileKind(0, b"SQLite format 3\0", "an SQLite database", _HIVE, _CONTAINER),
    FileKind(
        0,
        b"version https://git-lfs.github.com/",
        "a pointer of Git LFS",
        "fetch the file: git lfs pull",
        "fetch the file: git lfs pull",
    ),
    FileKind(0, b"<!DOCTYPE html", "a web page", _DOWNLOAD, _DOWNLOAD),
    FileKind(0, b"<html", "a web page", _DOWNLOAD, _DOWNLOAD),
    FileKind(0, b"<?xml", "an XML document", _HIVE, _CONTAINER),
    *(
        FileKind(0, bracket + space, "a JSON document", _HIVE, hint)
        for bracket, hint, spaces in (
            (b"{", "give the layout that it is in: oci:DIR", (b'"', b"}", b"\n", b"\r\n", b" ")),
            (b"[", "give the archive that it is in: docker-archive:FILE", (b"{", b"]", b"\n", b"\r\n", b" ")),
        )
        for space in spaces
    ),
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
