# SPDX-License-Identifier: Apache-2.0
"""Tars as hostile or careless writers make them, the same for each seed: every field and record can be odd."""

import base64
import random
from collections.abc import Callable, Sequence

BLOCK = 512
MAGICS = (
    b"ustar\x0000",
    b"ustar\x0000",
    b"ustar\x0000",
    b"ustar\0xy",
    b"ustar  \0",
    b"ustar  \0",
    b"ustar \0\0",
    b"\0" * 8,
)
# Where a header has which number, and how wide it is.
NUMBERS = {"mode": (100, 8), "uid": (108, 8), "gid": (116, 8), "size": (124, 12), "time": (136, 12)}
DEVICES = {"major": (329, 8), "minor": (337, 8)}
NAMES: tuple[bytes, ...] = (
    b"Files",
    b"Files/a",
    b"Files/a/",
    b"Hives",
    b"",
    b"/",
    b"Files/\xff\xfe",
    "Files/größe".encode(),
    b"n" * 100,
)
TEXTS: tuple[bytes, ...] = (b"", b"a", b"Files/long/" + b"x" * 140, b"Files/y\0z", b"\xff", b"d/")
INTEGERS: tuple[bytes, ...] = (
    b"0",
    b"12",
    b"0007",
    b"+5",
    b"-3",
    b"9223372036854775807",
    b"9223372036854775808",
    b"",
    b" 1",
    b"1 ",
    b"1_0",
    b"x",
)
INTEGERS += (
    b"-9223372036854775808",
    b"00000000000000000000000000000012",
    b"0x1",
    b"1.",
    b"\xd9\xa1",
    b"1\n",
    b"4294967295",
)
TIMES: tuple[bytes, ...] = (
    b"0",
    b"1700000000.05",
    b"-1.5",
    b"+1.5",
    b"1.",
    b".5",
    b"1.5x",
    b"1,5",
    b"1e3",
    b"",
    b"9223372037",
    b"1.-5",
    b"--1",
)
TIMES += (b"1" * 30, b"0" * 30 + b"1", b"1." + b"9" * 20, b"-0.5", b"1.5.5", b" 1", b"\xff", b"1700000000.123456789")
BASE64: tuple[bytes, ...] = (
    b"",
    b"AQ==",
    b"AQ=",
    b"AQ",
    b"AQ==\n",
    b"A\r\nQ==",
    b"A=Q=",
    b"=",
    b"==",
    b"AAAA====",
    b"AAAA=",
    b"AAA=",
    b"AAB=",
    b"!",
)
BASE64 += (
    b"AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA==",
    b"AQ==AQ==",
    b"AQ== ",
    b"\xc3\xa4",
    b"AR==",
)
BASE64 += (base64.b64encode(b"v" * 65_535), base64.b64encode(b"v" * 65_536))
VALUES: dict[bytes, Sequence[bytes]] = {
    **dict.fromkeys((b"path", b"linkpath", b"uname", b"gname"), TEXTS),
    **dict.fromkeys((b"uid", b"gid", b"size"), INTEGERS),
    b"MSWINDOWS.fileattr": (*INTEGERS, b"16", b"32", b"1040"),
    **dict.fromkeys((b"mtime", b"atime", b"ctime", b"LIBARCHIVE.creationtime"), TIMES),
    **dict.fromkeys((b"MSWINDOWS.rawsd", b"MSWINDOWS.xattr.a", b"MSWINDOWS.xattr." + b"n" * 255), BASE64),
    b"MSWINDOWS.xattr." + b"n" * 256: BASE64,
    b"MSWINDOWS.xattr." + "ü".encode() * 128: BASE64,
    b"MSWINDOWS.mountpoint": (b"1", b""),
    **dict.fromkeys((b"comment", b"SCHILY.xattr.user.a", "schlüssel".encode(), b"\xff"), TEXTS),
    **dict.fromkeys((b"", b"a\0b"), (b"1",)),
    b"GNU.sparse.major": (b"0", b"1", b"2", b""),
    b"GNU.sparse.minor": (b"0", b"1", b"2", b""),
    b"GNU.sparse.map": (b"", b"0,1", b"0,1,", b"0,5,9,2", b"x"),
    **dict.fromkeys((b"GNU.sparse.numblocks", b"GNU.sparse.size", b"GNU.sparse.realsize"), INTEGERS),
    b"GNU.sparse.name": TEXTS,
    **dict.fromkeys((b"GNU.sparse.offset", b"GNU.sparse.numbytes"), (*INTEGERS, b"1,2")),
}
USUAL = tuple(key for key in VALUES if key and b"\0" not in key and not key.startswith(b"GNU"))


class Writer:
    """Writes one tar after the other by chance; *seed* decides all of them."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - the same tars for everybody
        self._makers: tuple[Callable[[], bytes], ...] = (
            *[self._plain] * 6,
            *[self._with_records] * 8,
            *[self._with_long_names] * 2,
            self._global,
            self._sparse,
            self._old_sparse,
        )

    def tar(self) -> bytes:
        """Return the next tar."""
        pick, often = self._chance.choice, self._often
        tar = bytearray(b"".join(pick(self._makers)() for _ in range(self._chance.randint(1, 4))))
        tar += pick((b"", bytes(BLOCK), bytes(700), bytes(1024), bytes(1024), bytes(1536), bytes(1024) + b"x" * 512))
        if often(0.05):
            tar += bytes(BLOCK) + self._plain()
        if often(0.2):
            del tar[self._chance.randrange(len(tar) + 1) :]
        if tar and often(0.2):
            at = self._chance.randrange(len(tar))
            tar[at] = self._chance.choice(b"\0\x01 09=\n\x7f\x80\xff" + bytes([self._chance.randrange(256)]))
            if often(0.7):
                seal(tar, at // BLOCK * BLOCK)
        return bytes(tar)

    def _often(self, share: float) -> bool:
        return self._chance.random() < share

    def _number(self, width: int) -> bytes:
        """Return a number as a header has it, which need not be one."""
        value = self._chance.randrange(2000)
        octal = b"%o" % value
        large = self._chance.choice((0, 1, value, -1, -value, 1 << 40, (1 << 63) - 1, 1 << 63, -(1 << 63), 1 << 70))
        binary = bytearray((large % (1 << (8 * width))).to_bytes(width, "big"))
        binary[0] = binary[0] & 0x7F | 0x80 if large >= 0 else binary[0] | 0xC0
        odd = (
            octal.rjust(width, b" "),
            octal.rjust(width, b"\0"),
            octal.rjust(width, b"0"),
            b" " + octal + b" \0",
            octal + b"\0 7",
            octal + b"\0x",
            octal + b" 7",
            b"",
            b" " * width,
            b"9",
            b"+1",
            b"-1",
            b"1_0",
            b"0x1",
            b"7" * width,
            bytes(binary),
            bytes(binary),
            b"\x80" + bytes(width - 1),
            b"\xff" * width,
            b"\xbf" * width,
        )
        return self._chance.choice(odd)[:width].ljust(width, b"\0")

    def _header(self, size: int, kind: bytes = b"", name: bytes | None = None) -> bytearray:
        """Return a header for *size* bytes of data; now and then it says something else."""
        pick = self._chance.choice
        block = bytearray(BLOCK)
        name = pick(NAMES) if name is None else name
        block[: len(name)] = name
        for field, (at, width) in NUMBERS.items():
            block[at : at + width] = b"%0*o\0" % (width - 1, size if field == "size" else 0o644)
        kind = kind or pick(b"000000012357\0" if self._often(0.9) else bytes(range(256))).to_bytes(1, "big")
        block[156:157] = kind
        block[157:263] = pick(NAMES)[:100].ljust(100, b"\0") + bytes(6)
        block[257:265] = pick(MAGICS)
        if self._often(0.2):  # a prefix, or what GNU and star have in its place
            prefix = pick(
                (b"Files", b"p" * 155, b"p" * 131, b"0" * 11 + b"\0" + b"7" * 11, b"\xff", b"a\0b", b"17" * 12)
            )
            block[345 : 345 + len(prefix)] = prefix
        if self._often(0.07):
            block[508:512] = b"tar\0"
            for at in (476, 488):
                block[at : at + 12] = self._number(12) if self._often(0.3) else b"%011o\0" % 7
        if self._often(0.1):
            at, width = pick([*NUMBERS.values(), *DEVICES.values(), (345, 12), (357, 12)])
            block[at : at + width] = self._number(width)
        seal(block)
        if self._often(0.03):
            block[148:156] = pick((b"%06o \0", b" %06o\0", b"%07o\0", b"%o", b"\x80%06o")) % sum(
                block[:148] + b" " * 8 + block[156:]
            )
            block[512:] = b""
        return block[:BLOCK]

    def _plain(self, size: int | None = None, name: bytes | None = None) -> bytes:
        size = self._chance.choice((0, 0, 1, 511, 512, 513, 1500)) if size is None else size
        block = self._header(size, name=name)
        if block[156] in b"12356" and self._often(0.9):
            return bytes(block)
        data = bytes(self._chance.randrange(256) for _ in range(16)) * (size // 16 + 1)
        return bytes(block) + padded(data[:size])

    def _special(self, kind: bytes, data: bytes) -> bytes:
        return bytes(self._header(len(data), kind)) + padded(data)

    def _record(self, key: bytes, value: bytes) -> bytes:
        rest = b" " + key + b"=" + value + b"\n"
        size = len(rest) + 1
        while len(b"%d" % size) + len(rest) != size:
            size += 1
        record = b"%d" % size + rest
        if self._often(0.03):
            wrong = (b"0" * 5, b"+", b" ", b"-")
            extra = self._chance.choice(wrong)
            record = extra + (b"%d" % (size + len(extra))) + rest
        elif self._often(0.02):
            record = self._chance.choice(
                (record[:-1], record[:-1] + b"x", record.replace(b"=", b"+"), b"4 a\n", b"5 a=\n", b"", b"\0")
            )
        return record

    def _records(self, keys: Sequence[bytes]) -> bytes:
        chosen = [self._chance.choice(keys) for _ in range(self._chance.randint(0, 4))]
        return b"".join(self._record(key, self._chance.choice(VALUES[key])) for key in chosen)

    def _with_records(self) -> bytes:
        made = self._special(b"x", self._records(USUAL if self._often(0.9) else tuple(VALUES)))
        if self._often(0.1):
            made += self._chance.choice(
                (self._global, self._with_records, lambda: self._special(b"L", b"Files/long\0"))
            )()
        size = self._chance.choice((0, 5, 12, 700))
        return made + self._plain(size)

    def _with_long_names(self) -> bytes:
        long = self._chance.choice((b"Files/" + b"l" * 300 + b"\0", b"Files/short", b"", b"\0", b"a\0b", b"\xff/"))
        made = self._special(self._chance.choice((b"L", b"K")), long)
        return made + (self._with_long_names() if self._often(0.3) else self._plain())

    def _global(self) -> bytes:
        return self._special(b"g", self._records(tuple(VALUES)))

    def _sparse(self) -> bytes:
        """Return a sparse file of a PAX format, often a good one."""
        pairs, here = [], 0
        for _ in range(self._chance.randint(0, 4)):
            here += self._chance.choice((0, 0, 1, 512, 5000))
            size = self._chance.choice((0, 1, 512, 600))
            pairs.append((here, size))
            here += size
        if pairs and self._often(0.15):
            pairs[self._chance.randrange(len(pairs))] = (
                self._chance.choice((-1, 7, 1 << 62)),
                self._chance.choice((-1, 3)),
            )
        real = here + self._chance.choice((0, 0, 100, -1))
        stored = max(0, sum(size for _, size in pairs)) + (self._chance.choice((-1, 1, 512)) if self._often(0.1) else 0)
        data = b"d" * min(max(0, stored), 1 << 16)
        name = self._record(b"GNU.sparse.name", b"Files/sparse")
        form = self._chance.choice(("0.0", "0.1", "1.0"))
        count = b"%d" % (len(pairs) + self._often(0.05))
        if form == "1.0":
            text = b"%s\n" % count + b"".join(b"%d\n%d\n" % pair for pair in pairs)
            data = padded(text if self._often(0.95) else text[:-1]) + data
            records = self._record(b"GNU.sparse.major", b"1") + self._record(b"GNU.sparse.minor", b"0") + name
            records += self._record(b"GNU.sparse.realsize", b"%d" % real)
        elif form == "0.1":
            listed = b",".join(b"%d,%d" % pair for pair in pairs)
            records = self._record(b"GNU.sparse.map", listed) + self._record(b"GNU.sparse.numblocks", count) + name
            records += self._record(b"GNU.sparse.size", b"%d" % real)
        else:
            records = self._record(b"GNU.sparse.size", b"%d" % real) + self._record(b"GNU.sparse.numblocks", count)
            for offset, size in pairs:
                records += self._record(b"GNU.sparse.offset", b"%d" % offset)
                records += self._record(b"GNU.sparse.numbytes", b"%d" % size)
        block = self._header(len(data), b"0" if self._often(0.9) else self._chance.choice((b"\0", b"5", b"7", b"2")))
        return self._special(b"x", records) + bytes(block) + padded(data)

    def _old_sparse(self) -> bytes:
        block = self._header(600, b"S")
        block[257:265] = b"ustar  \0"
        block[345:512] = bytes(167)
        block[386:410] = b"%011o\0%011o\0" % (0, 600)
        block[483:495] = b"%011o\0" % self._chance.choice((600, 6000))
        seal(block)
        return bytes(block) + padded(b"s" * 600)


def seal(tar: bytearray, at: int = 0) -> None:
    """Make the checksum of the header at *at* right."""
    block = tar[at : at + BLOCK]
    if len(block) == BLOCK:
        tar[at + 148 : at + 156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 8 * 32)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)
