# SPDX-License-Identifier: Apache-2.0
"""The hive format as data: the fields of each structure, with name, size and meaning, and its tail.

A hive file is a base block of 4,096 bytes, then bins, then perhaps room that is not in use yet. A bin is a header of
32 bytes and cells without gaps. A cell is its size, 4 bytes that are negative while the cell is in use, and its
content, which begins at a multiple of 8 plus 4. The content of most cells is a structure that begins with a signature;
the rest have none, and only the pointers to them identify them.

Every number is little-endian. A pointer counts bytes from the first bin, which starts at BASE in the file, and leads
to a cell; NIL leads nowhere. Names follow msuhanov/windows-registry-file-format-specification.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

BASE: Final = 0x1000  # bytes before the first bin
PAGE: Final = 0x1000  # a bin's size is a multiple of this
NIL: Final = 0xFFFFFFFF
VOLATILE: Final = 0x80000000  # bit of a pointer to a cell that exists only in memory
INLINE: Final = 0x80000000  # bit of a value's data size: the data is in the value itself
MAX_INLINE: Final = 4  # bytes
SEGMENT: Final = 16344  # maximum bytes of data in a cell, since minor version 4


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a structure: *code* is its type as in the struct module, *shown* the form in which it is printed.

    *shown* is number, hex, pointer, time, flags or bytes, or the encoding of a text. *names* has the names of the bits
    of flags, or of the values of a number.
    """

    name: str
    code: str
    meaning: str = ""
    shown: str = "number"
    names: Mapping[int, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The field's size in bytes."""
        return struct.calcsize(f"<{self.code}")


@dataclass(frozen=True, slots=True)
class Tail:
    """The tail behind the fields of a structure: *fields*, repeated as often as the field *count*; for "s", its size.

    *count* is a field of the structure itself or, if it has none of that name, of the one that points to it.
    """

    count: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, eq=False)
class Structure:
    """A structure: its name, its possible signatures, its fields and its tail.

    *noun* is its name in messages about pointers. Offsets count from the start of a cell's content, or of the structure
    if it is not a cell.
    """

    name: str
    noun: str = ""
    signatures: tuple[bytes, ...] = ()
    fields: tuple[Field, ...] = ()
    tail: Tail | None = None
    cell: bool = True
    unpacker: struct.Struct = field(init=False)
    offsets: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Compute the unpacker of all fields and the offset of each."""
        offsets, at = {}, 0
        for one in self.fields:
            offsets[one.name] = at
            at += one.size
        object.__setattr__(self, "unpacker", struct.Struct("<" + "".join(one.code for one in self.fields)))
        object.__setattr__(self, "offsets", offsets)


def _pointer(name: str, meaning: str = "") -> Field:
    return Field(name, "I", meaning, "pointer")


def _bytes(name: str, size: int, meaning: str = "") -> Field:
    return Field(name, f"{size}s", meaning, "bytes")


def _time(name: str, meaning: str = "in units of 100 ns since 1601, UTC") -> Field:
    return Field(name, "Q", meaning, "time")


def _signature(size: int) -> Field:
    return Field("signature", f"{size}s", "the kind of structure", "latin-1")


def _leaf(name: str, signature: bytes, *entry: Field) -> Structure:
    count = Field("number of entries", "H")
    return Structure(name, "", (signature,), (_signature(2), count), Tail(count.name, entry))


_KEY_ENTRY = _pointer("subkey")

KEY_VOLATILE: Final = 0x01
KEY_HIVE_EXIT: Final = 0x02
KEY_HIVE_ENTRY: Final = 0x04
KEY_NO_DELETE: Final = 0x08
KEY_SYM_LINK: Final = 0x10
KEY_COMPRESSED: Final = 0x20
KEY_PREDEFINED: Final = 0x40
_KEY_FLAGS: Final = {
    KEY_VOLATILE: "volatile",
    KEY_HIVE_EXIT: "mount point of another hive",
    KEY_HIVE_ENTRY: "root of a hive",
    KEY_NO_DELETE: "cannot be deleted",
    KEY_SYM_LINK: "symbolic link",
    KEY_COMPRESSED: "name in Latin-1",
    KEY_PREDEFINED: "predefined handle",
    0x80: "was virtualized",
    0x100: "is virtual",
    0x200: "in a virtual store",
    0x1000: "made by a 32-bit program",
    0x2000: "made by reflection",
    0x4000: "not to be reflected",
    0x8000: "break on access",
}
VALUE_COMPRESSED: Final = 1
VALUE_TYPES: Final = {
    0: "REG_NONE",
    1: "REG_SZ",
    2: "REG_EXPAND_SZ",
    3: "REG_BINARY",
    4: "REG_DWORD",
    5: "REG_DWORD_BIG_ENDIAN",
    6: "REG_LINK",
    7: "REG_MULTI_SZ",
    8: "REG_RESOURCE_LIST",
    9: "REG_FULL_RESOURCE_DESCRIPTOR",
    10: "REG_RESOURCE_REQUIREMENTS_LIST",
    11: "REG_QWORD",
}

BASE_BLOCK: Final = Structure(
    "base block",
    signatures=(b"regf",),
    fields=(
        _signature(4),
        Field("primary sequence number", "I", "raised when a write begins"),
        Field("secondary sequence number", "I", "raised when a write has ended"),
        _time("last written"),
        Field("major version", "I"),
        Field("minor version", "I"),
        Field("file type", "I", names={0: "primary file"}),
        Field("file format", "I", names={1: "direct memory load"}),
        _pointer("root key"),
        Field("length of the bins", "I", "in bytes"),
        Field("clustering factor", "I", "bytes of a disk sector, divided by 512"),
        Field("file name", "64s", "the end of the file's path, for people who debug", "utf-16-le"),
        _bytes("resource manager", 16, "identifies the manager of transactions"),
        _bytes("log", 16, "identifies the log of transactions"),
        Field("flags", "I", "", "flags", {1: "transactions pending", 2: "keys may be layered"}),
        _bytes("transaction manager", 16, "identifies the log of the transaction manager"),
        Field("transaction signature", "4s", "'rmtm' where the identifiers are in use", "latin-1"),
        _time("last reorganized", "in units of 100 ns since 1601, UTC, its two lowest bits being flags"),
        Field("offline library's mark", "4s", "'OfRg' if Windows' offline registry library wrote the file", "latin-1"),
        Field("offline library's flags", "I", "", "hex"),
        _bytes("reserved 1", 324),
        Field("checksum", "I", "exclusive or of the 127 numbers before it", "hex"),
        _time("offline library's time"),
        _bytes("reserved 2", 3520),
        _bytes("thawed transaction manager", 16, "of no meaning on disk"),
        _bytes("thawed resource manager", 16, "of no meaning on disk"),
        _bytes("thawed log", 16, "of no meaning on disk"),
        Field("boot type", "I", "of no meaning on disk"),
        Field("boot recover", "I", "of no meaning on disk"),
    ),
    cell=False,
)
BIN: Final = Structure(
    "bin header",
    signatures=(b"hbin",),
    fields=(
        _signature(4),
        Field("offset", "I", "bytes from the first bin", "hex"),
        Field("size", "I", "in bytes, with this header"),
        Field("reserved", "Q", "", "hex"),
        _time("time", "of the last write, in the first bin"),
        Field("spare", "I", "of no meaning on disk", "hex"),
    ),
    cell=False,
)
KEY: Final = Structure(
    "key",
    "a key",
    (b"nk",),
    (
        _signature(2),
        Field("flags", "H", "", "flags", _KEY_FLAGS),
        _time("last written"),
        Field("access bits", "B", "when the key was used since they were cleared", "flags", {1: "early", 2: "late"}),
        Field("layer bits", "B", "how the key stands to a hive below", "hex"),
        Field("layer spare", "H", "", "hex"),
        _pointer("parent", "of no meaning in the root key"),
        Field("number of subkeys", "I"),
        Field("number of volatile subkeys", "I", "of no meaning on disk"),
        _pointer("subkeys list"),
        _pointer("volatile subkeys list", "of no meaning on disk"),
        Field("number of values", "I"),
        _pointer("values list"),
        _pointer("security record"),
        _pointer("class name"),
        Field("largest subkey name", "H", "in bytes of UTF-16"),
        Field("virtualization and user flags", "B", "", "hex"),
        Field("debug flags", "B", "", "hex"),
        Field("largest subkey class name", "I", "in bytes"),
        Field("largest value name", "I", "in bytes of UTF-16"),
        Field("largest value data", "I", "in bytes"),
        Field("work variable", "I", "not used", "hex"),
        Field("name length", "H", "in bytes"),
        Field("class name length", "H", "in bytes"),
    ),
    Tail("name length", (Field("name", "s", "", "utf-16-le"),)),
)
VALUE: Final = Structure(
    "value",
    "a value",
    (b"vk",),
    (
        _signature(2),
        Field("name length", "H", "in bytes; 0 for a key's default value"),
        Field("data size", "I", "in bytes; the highest bit says that the data is in the next field", "hex"),
        _pointer("data"),
        Field("type", "I", names=VALUE_TYPES),
        Field("flags", "H", "", "flags", {VALUE_COMPRESSED: "name in Latin-1", 2: "tombstone"}),
        Field("spare", "H", "not used", "hex"),
    ),
    Tail("name length", (Field("name", "s", "", "utf-16-le"),)),
)
SECURITY: Final = Structure(
    "security record",
    "a security record",
    (b"sk",),
    (
        _signature(2),
        Field("reserved", "H", "", "hex"),
        _pointer("next record"),
        _pointer("previous record"),
        Field("references", "I", "number of keys that use the record"),
        Field("descriptor size", "I", "in bytes"),
    ),
    Tail("descriptor size", (Field("security descriptor", "s", "", "bytes"),)),
)

HASH_LEAF: Final = _leaf(
    "hash leaf", b"lh", _KEY_ENTRY, Field("hash", "I", "of the subkey's name in upper case", "hex")
)
FAST_LEAF: Final = _leaf(
    "fast leaf", b"lf", _KEY_ENTRY, Field("hint", "4s", "the first four characters of the name", "latin-1")
)
INDEX_LEAF: Final = _leaf("index leaf", b"li", _KEY_ENTRY)
INDEX_ROOT: Final = _leaf("index root", b"ri", _pointer("leaf"))
BIG_DATA: Final = Structure(
    "big data",
    "the record of big data",
    (b"db",),
    (_signature(2), Field("number of segments", "H"), _pointer("segments list")),
)
LEAVES: Final = (HASH_LEAF, FAST_LEAF, INDEX_LEAF, INDEX_ROOT)
SUBKEYS: Final = Structure("subkeys list", "a subkeys list", tuple(leaf.signatures[0] for leaf in LEAVES))
VALUES: Final = Structure("values list", "a values list", tail=Tail("number of values", (_pointer("value"),)))
SEGMENTS: Final = Structure(
    "segments list", "a list of data segments", tail=Tail("number of segments", (_pointer("segment"),))
)
SEGMENT_DATA: Final = Structure(
    "data segment", "a data segment", tail=Tail("data size", (Field("data", "s", "", "bytes"),))
)
DATA: Final = Structure("value data", "a value's data", tail=Tail("data size", (Field("data", "s", "", "bytes"),)))
CLASS: Final = Structure(
    "class name", "a class name", tail=Tail("class name length", (Field("class name", "s", "", "utf-16-le"),))
)
FREE: Final = Structure("free cell")
USED: Final = Structure("cell in use")  # of an unknown structure
UNREAD: Final = Structure("unread", cell=False)  # the part behind damage
REST: Final = Structure("rest of the file", cell=False)  # Windows lets a file grow ahead of its bins

# The values of a byte in the map of cells, for eight bytes of the hive: 0 inside a structure, else an index into KINDS.
INSIDE: Final = 0
KINDS: Final = (
    UNREAD, FREE, USED, BIN, KEY, VALUE, SECURITY, SUBKEYS, *LEAVES, VALUES, DATA, BIG_DATA, SEGMENTS, SEGMENT_DATA,
    CLASS, BASE_BLOCK, REST,
)  # fmt: skip
NUMBERS: Final[Mapping[Structure, int]] = {kind: number for number, kind in enumerate(KINDS)}
