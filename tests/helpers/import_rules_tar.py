# SPDX-License-Identifier: Apache-2.0
"""Import rules. The tar itself: what Go and go-winio read of it."""

from .import_table import rows
from .layouts import RECORDS, directory
from .odd_layers import (
    PAX,
    file,
    hard,
    header,
    kind,
    layers,
    padded,
    pax,
    raw,
    record,
    sparse,
    symbolic,
    top,
)

AA = PAX + header(b"Files/aa")
MAP = (("major", "1"), ("minor", "0"), ("realsize", "9"))

TAR = [
    *rows(
        "",
        ("no blocks of zeros at the end", raw(AA, end=b""), "end"),
        ("one block of zeros at the end", raw(AA, end=bytes(512)), "one-block"),
        ("three blocks of zeros at the end", raw(AA, end=bytes(1536)), "end"),
        ("no padding behind the last file", raw(PAX, header(b"Files/aa", 5), b"hello", end=b""), "padding"),
        ("half of the padding behind the last file", raw(PAX, header(b"Files/aa", 5), bytes(99), end=b""), "padding"),
        ("checksum of signed bytes", raw(PAX, header("Files/ü".encode(), signed=True)), "checksum"),
        ("another version behind ustar's magic", raw(PAX, header(b"aa", magic=b"ustar\0xy", prefix=b"Files")), "magic"),
        ("device invalid without a magic", raw(PAX, header(b"Files/aa", magic=b"", device=b"x")), "v7"),
        (
            "a prefix in GNU's format, whose times are invalid then",
            raw(PAX, header(b"aa", magic=b"ustar  \0", prefix=b"Files")),
            "gnu-prefix",
        ),
        (
            "star's prefix of 131 bytes",
            raw(PAX, header(b"aa", prefix=b"Files", star_atime=b"00000000007\0" * 2, trailer=b"tar\0")),
            "star",
        ),
        (
            "size in binary",
            raw(PAX, header(b"Files/aa", 3, size=b"\x80" + bytes(10) + b"\3"), padded(b"abc")),
            "binary",
        ),
        ("negative time in binary", raw(PAX, header(b"Files/aa", time=b"\xff" * 12)), "binary"),
        ("blanks around numbers", raw(PAX, header(b"Files/aa", mode=b" 644 \0")), "octal"),
        ("a number that is empty", raw(PAX, header(b"Files/aa", mode=b"")), "octal"),
        (
            "size with zeros before it in PAX",
            raw(pax(record(b"size", b"0003")), header(b"Files/.wh.aa", 9), padded(b"abc")),
            "pax-size",
        ),
        (
            "length with zeros before it in PAX",
            raw(pax(record(b"comment", b"", 5)), header(b"Files/.wh.aa")),
            "record-size",
        ),
        (
            "negative size of a hard link",
            layers([file("Files/aa"), hard("Files/bb", "Files/aa", size="-1")]),
            "header-only",
        ),
        ("user with a sign in PAX", top(file("Files/aa", uid="+5")), "pax-id"),
        ("GNU's long name", raw(header(b"", 10, type=b"L"), padded(b"Files/.wh.a")), "gnu-long"),
        ("type NUL", raw(PAX, header(b"Files/aa", type=b"\0")), "old-type"),
        ("type NUL with a slash", raw(PAX, header(b"Files/aa/", type=b"\0"), PAX, header(b"Files/aa/bb")), "old-type"),
        ("a sparse file, format 1.0", raw(sparse(*MAP, data=padded(b"1\n3\n2\n") + b"ab")), "sparse-1"),
        (
            "a sparse file, format 0.1",
            raw(sparse(("map", "3,2"), ("numblocks", "1"), ("size", "9"), data=b"ab")),
            "sparse-0",
        ),
    ),
    *rows(
        "layer",
        ("one and a half blocks of zeros at the end", raw(AA, end=bytes(700)), "one-block"),
        ("a header behind a block of zeros", raw(AA, bytes(512), AA), "zero-block"),
        ("data cut short", raw(PAX, header(b"Files/aa", 5), b"hell", end=b""), "cut"),
        ("a header cut short", raw(AA, header(b"Files/bb")[:-1], end=b""), "cut"),
        ("a checksum that is wrong", raw(PAX, header(b"Files/aa")[:-1] + b"x"), "checksum"),
        (
            "star's time that is not octal",
            raw(PAX, header(b"aa", prefix=b"Files", star_atime=b"x", trailer=b"tar\0")),
            "star-time",
        ),
        ("negative size", raw(PAX, header(b"Files/aa", size=b"\xff" * 12)), "negative"),
        ("size of more than 63 bits", raw(PAX, header(b"Files/aa", size=b"\x81" + bytes(11))), "overflow"),
        ("mode of a directory that is not octal", raw(PAX, header(b"Files/aa", type=b"5", mode=b"9")), "octal"),
        ("mode of a whiteout that is not octal", raw(header(b"Files/.wh.aa", mode=b"x")), "octal"),
        ("user with digits behind a NUL and a blank", raw(PAX, header(b"Files/aa", uid=b"1 \0007")), "octal"),
        ("device that is not octal", raw(PAX, header(b"Files/aa", device=b"-1")), "octal"),
        ("time of a PAX header that is not octal", raw(pax(time=b"x"), header(b"Files/aa")), "octal"),
        (
            "size of a directory in PAX that is not a number",
            top(directory("Files/aa", **RECORDS, size="1x")),
            "pax-size",
        ),
        ("negative size of a file in PAX", top(file("Files/aa", size="-1")), "negative"),
        ("user in PAX that is not a number", top(file("Files/aa", uid="root")), "pax-id"),
        ("group in PAX of more than 64 bits", top(file("Files/aa", gid="9223372036854775808")), "pax-id"),
        ("time of a file in PAX that is invalid", top(file("Files/aa", mtime="now")), "pax-time"),
        ("time of a directory in PAX that is invalid", top(directory("Files/aa", **RECORDS, mtime="1e3")), "pax-time"),
        (
            "time of a hard link in PAX that is invalid",
            top(file("Files/aa"), hard("Files/bb", "Files/aa", mtime="x")),
            "pax-time",
        ),
        ("time of a whiteout in PAX that is invalid", top(file("Files/.wh.aa", mtime="1,5")), "pax-time"),
        ("time of a symbolic link in PAX that is invalid", top(symbolic("Files/aa", "b", mtime=".5")), "pax-time"),
        ("access time in PAX that is invalid", top(file("Files/aa", atime="1.5s")), "pax-atime"),
        ("a NUL in a path in PAX", raw(pax(record(b"path", b"Files/a\0b")), header(b"x")), "record-nul"),
        ("a NUL in a key in PAX", raw(pax(record(b"a\0", b"x")), header(b"Files/aa")), "key-nul"),
        ("an empty key in PAX", raw(pax(record(b"", b"x")), header(b"Files/aa")), "record"),
        (
            "a PAX header of more than 1 MiB",
            raw(pax(record(b"comment", b"x" * (1 << 20))), header(b"Files/aa")),
            "long",
        ),
        ("a sparse file with too few data", raw(sparse(*MAP, data=padded(b"1\n3\n2\n") + b"a")), "sparse-short"),
        ("a sparse file of an unknown format", raw(sparse(("major", "2"), data=b"a")), "sparse-unknown"),
        ("an old sparse file, type S", raw(PAX, header(b"Files/aa", magic=b"ustar  \0", type=b"S")), "type"),
    ),
    *rows(
        "root",
        ("a prefix without a magic", raw(PAX, header(b"aa", magic=b"", prefix=b"Files")), "v7"),
        (
            "a prefix in GNU's format that is a time",
            raw(PAX, header(b"aa", magic=b"ustar  \0", prefix=b"7")),
            "gnu-prefix",
        ),
    ),
    *rows(
        "kind",
        ("a global PAX header", raw(header(b"Files/aa", type=b"g")), "global"),
        ("a file of type 7", top(kind("Files/aa", b"7", b"data")), "type"),
        ("a character device", top(kind("Files/aa", b"3")), "type"),
        ("a block device", top(kind("Files/aa", b"4")), "type"),
        ("a pipe", top(kind("Files/aa", b"6")), "type"),
        ("a type that nothing knows", top(kind("Files/aa", b"Z")), "type"),
    ),
]
