# SPDX-License-Identifier: Apache-2.0
"""What a file is by its first bytes, for an error about a file that is no image."""

from typing import Final

TAR: Final = "a tar"
UNKNOWN: Final = "an unknown file"
_REG: Final = "Windows Registry Editor"
_UNPACK: Final = "unpack it and give oci-archive:FILE or docker-archive:FILE"
_MAGIC: Final[tuple[tuple[int, bytes, str, str], ...]] = (  # offset, bytes, what it is, what to do
    (257, b"ustar", TAR, "give oci-archive:{0} or docker-archive:{0}; for a layer: winscratch inspect {0}"),
    (0, b"\x1f\x8b", "a gzip file", f"{_UNPACK}: gunzip -k {{0}}"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file", f"{_UNPACK}: unzstd {{0}}"),
    (0, b"\xfd7zXZ\0", "an xz file", f"{_UNPACK}: unxz -k {{0}}"),
    (0, b"BZh", "a bzip2 file", f"{_UNPACK}: bunzip2 -k {{0}}"),
    (0, b"PK\x03\x04", "a zip file", "unzip it; to make an image of its files: winscratch image DIR --to oci:out"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip file", _UNPACK),
    (0, b"\x7fELF", "a program for Linux (ELF)", "an image for Windows needs a program for Windows"),
    (0, b"MZ", "a program for Windows", "make an image: winscratch image {0} --to oci:out"),
    (0, b"MSWIM\0\0\0", "a Windows image file (WIM)", "give a container image"),
    (0, b"vhdxfile", "a virtual disk (VHDX)", "give a container image"),
    (0, b"conectix", "a virtual disk (VHD)", "give a container image"),
    (0, b"{", "a JSON document", "give the layout that it is in: oci:DIR"),
    (0, b"[", "a JSON document", "give the archive that it is in: docker-archive:FILE"),
)


def describe(data: bytes) -> tuple[str, str]:
    """Return what a file is, and what to give in its place, where ``{0}`` stands for its name.

    *data* is at least the file's first 1,024 bytes, or all of it. What is not recognised is "an unknown file".
    """
    if not data:
        return "an empty file", "give oci:DIR, oci-archive:FILE or docker-archive:FILE"
    if data.startswith(b"regf"):
        # Windows' internals of hives: file type 1, 2 and 6 at offset 28 are transaction logs', 0 is a hive's.
        if data[28:32] in {b"\1\0\0\0", b"\2\0\0\0", b"\6\0\0\0"}:
            return (
                "a transaction log of a registry hive",
                "give the file beside it without .LOG in its name: winscratch check-hive HIVE",
            )
        return "a registry hive", "winscratch check-hive {0}"
    if _is_export(data):
        return (
            "the text of a registry export (.reg)",
            r"save the key as a hive by reg save HKLM\KEY FILE, then: winscratch check-hive FILE",
        )
    for at, magic, what, hint in _MAGIC:
        if data[at:].startswith(magic):
            return what, hint
    return UNKNOWN, "give oci:DIR, oci-archive:FILE or docker-archive:FILE"


def _is_export(data: bytes) -> bool:
    """Return whether *data* begins as regedit writes text: in UTF-16 since Windows 2000, REGEDIT4 before."""
    start = data[:200]
    if start[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        text = start.decode("utf-16", "replace")
    else:
        text = start.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return text.lstrip().startswith((_REG, "REGEDIT4"))
