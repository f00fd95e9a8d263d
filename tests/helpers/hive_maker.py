# SPDX-License-Identifier: Apache-2.0
"""A maker of hives that shares nothing with the builder nor the reader.

What hivex never writes is made here too: lf, li and ri lists, big data, several security records, class names, links.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from generator.hives.model import (
    REG_BINARY,
    REG_DWORD,
    REG_LINK,
    REG_NONE,
    REG_QWORD,
    REG_SZ,
    Hive,
    Key,
    Value,
)

NIL = 0xFFFFFFFF
BASE = 0x1000
SEGMENT = 16344  # bytes of data in a segment

ADMINISTRATORS = bytes.fromhex("01020000 00000005 20000000 20020000")  # S-1-5-32-544
SYSTEM = bytes.fromhex("01010000 00000005 12000000")  # S-1-5-18
EVERYONE = bytes.fromhex("01010000 00000001 00000000")  # S-1-1-0


def descriptor(reader: bytes = EVERYONE, sacl: bytes = b"") -> bytes:
    """Return a self-relative descriptor: owner, group and a DACL of full access for SYSTEM, reading for *reader*."""
    aces = b"".join(
        struct.pack("<BBHI", 0, 2, 8 + len(sid), mask) + sid for sid, mask in ((SYSTEM, 0xF003F), (reader, 0x20019))
    )
    dacl = struct.pack("<BBHHH", 2, 0, 8 + len(aces), 2, 0) + aces
    owner, group, control = 20, 20 + len(ADMINISTRATORS), 0x8014 if sacl else 0x8004
    start = group + len(SYSTEM)
    header = struct.pack("<BBHIIII", 1, 0, control, owner, group, start + len(dacl) if sacl else 0, start)
    return header + ADMINISTRATORS + SYSTEM + dacl + sacl


# An ACL of one object ACE with both GUIDs, one with none and one of a type that nobody knows.
SACL = struct.pack("<BBHHH", 4, 0, 8 + 56 + 24 + 8, 3, 0) + b"".join(
    (
        struct.pack("<BBHII32x", 7, 0, 56, 1, 3) + EVERYONE,
        struct.pack("<BBHII", 7, 0, 24, 1, 0) + EVERYONE,
        struct.pack("<BBHI", 99, 0, 8, 0),
    )
)


@dataclass
class Node:
    """A key to be made. *leaf* is how its subkeys are listed: lh, lf, li, or ri over lh leaves of two."""

    name: str
    values: Sequence[Value] = ()
    subkeys: "Sequence[Node]" = ()
    leaf: str = "lh"
    security: int = 0  # index of its descriptor
    class_name: str = ""
    flags: int = 0


@dataclass
class Made:
    """A hive's bytes, and where in it the content of each cell starts that somebody might want to damage."""

    data: bytearray
    at: dict[str, int] = field(default_factory=dict)

    def poke(self, label: str, offset: int, form: str, *numbers: Any) -> None:
        """Write *numbers* at *offset* behind the start of the cell *label*, or of the file if that is empty."""
        struct.pack_into(form, self.data, self.at.get(label, 0) + offset, *numbers)

    def peek(self, label: str, offset: int, form: str) -> int:
        """Read a number from where poke() would write it."""
        return int(struct.unpack_from(form, self.data, self.at.get(label, 0) + offset)[0])

    def pointer(self, label: str) -> int:
        """Return the pointer that leads to the cell *label*."""
        return self.at[label] - 4 - BASE

    def seal(self) -> bytes:
        """Make the checksum right and return the hive."""
        return seal(self.data)


def seal(data: bytearray) -> bytes:
    """Make the checksum of a hive right and return the hive."""
    total = 0
    for (word,) in struct.iter_unpack("<I", data[:508]):
        total ^= word
    struct.pack_into("<I", data, 508, {0: 1, NIL: NIL - 1}.get(total, total))
    return bytes(data)


def make(
    root: Node,
    minor: int = 5,
    descriptors: Sequence[bytes] = (descriptor(),),
    unused: int = 0,
    bin_size: int = 4096,
) -> Made:
    """Make a hive. The last *unused* of *descriptors* have no key; bins have *bin_size* bytes or what a cell needs."""
    made = Made(bytearray(BASE))
    _Maker(made, minor, bin_size, len(descriptors)).hive(root, descriptors, unused)
    made.seal()
    return made


class _Maker:
    def __init__(self, made: Made, minor: int, bin_size: int, descriptors: int) -> None:
        self.made, self.minor, self.bin_size = made, minor, bin_size
        self.room = 0  # bytes left in the last bin
        self.security: list[int] = []  # pointers to the security records
        self.users = [0] * descriptors  # how many keys use each of them

    def cell(self, label: str, content: bytes) -> int:
        """Add a cell in use and return its pointer."""
        data = self.made.data
        size = (4 + len(content) + 7) & ~7
        if size > self.room:
            self.close()
            self.room = max(self.bin_size, (32 + size + 4095) & ~4095)
            data += struct.pack("<4sII20x", b"hbin", len(data) - BASE, self.room)
            self.room -= 32
        pointer = len(data) - BASE
        data += struct.pack("<i", -size) + content.ljust(size - 4, b"\0")
        self.room -= size
        self.made.at[label] = BASE + pointer + 4
        return pointer

    def close(self) -> None:
        """End the last bin with a free cell."""
        if self.room:
            self.made.at["free"] = len(self.made.data) + 4
            self.made.data += struct.pack("<i", self.room) + bytes(self.room - 4)
            self.room = 0

    def hive(self, root: Node, descriptors: Sequence[bytes], unused: int) -> None:
        for i, one in enumerate(descriptors):
            self.security.append(self.cell(f"sk {i}", struct.pack("<2s14xI", b"sk", len(one)) + one))
        start = self.key((), root, NIL, flags=0x0C)
        for i, count in enumerate(self.users):
            assert (count == 0) == (i >= len(self.users) - unused)
            after = self.security[(i + 1) % len(self.security)]
            self.made.poke(f"sk {i}", 4, "<III", after, self.security[i - 1], count)
        self.close()
        size = len(self.made.data) - BASE
        base = struct.pack("<4sIIQIIIIIII", b"regf", 7, 7, 0, 1, self.minor, 0, 1, start, size, 1)
        self.made.data[: len(base)] = base

    def key(self, path: tuple[str, ...], node: Node, parent: int, flags: int = 0) -> int:
        label = "\\".join(path)
        name, compressed = encode(node.name)
        self.users[node.security] += 1
        class_name = node.class_name.encode("utf-16-le")
        here = self.cell(f"key {label}", bytes(76) + name)
        class_pointer = self.cell(f"class {label}", class_name) if class_name else NIL
        values = [self.value(label, value) for value in node.values]
        values_pointer = NIL
        if values:
            values_pointer = self.cell(f"values {label}", struct.pack(f"<{len(values)}I", *values))
        subkeys = []
        for sub in node.subkeys:  # one frame a level, for Python's stack has to hold 512 levels
            subkeys.append((self.key((*path, sub.name), sub, here), sub.name))
        record = struct.pack(
            "<2sHQ8I",
            b"nk",
            node.flags | flags | (0x20 if compressed else 0),
            0,
            0,
            parent,
            len(subkeys),
            0,
            self.subkeys(label, node.leaf, subkeys) if subkeys else NIL,
            NIL,
            len(values),
            values_pointer,
        ) + struct.pack(
            "<7IHH",
            self.security[node.security],
            class_pointer,
            max((utf16(sub.name) for sub in node.subkeys), default=0),
            max((utf16(sub.class_name) for sub in node.subkeys), default=0),
            max((utf16(value.name) for value in node.values), default=0),
            max((len(value.data) for value in node.values), default=0),
            0,
            len(name),
            len(class_name),
        )
        at = self.made.at[f"key {label}"]
        self.made.data[at : at + len(record)] = record
        return here

    def subkeys(self, label: str, leaf: str, entries: Sequence[tuple[int, str]]) -> int:
        if leaf == "ri":
            leaves = [self.subkeys(f"{label} {i // 2}", "lh", entries[i : i + 2]) for i in range(0, len(entries), 2)]
            return self.cell(f"list {label}", struct.pack(f"<2sH{len(leaves)}I", b"ri", len(leaves), *leaves))
        content = struct.pack("<2sH", leaf.encode(), len(entries))
        for pointer, name in entries:
            content += struct.pack("<I", pointer)
            if leaf == "lh":
                content += struct.pack("<I", name_hash(name))
            elif leaf == "lf":
                content += name_hint(name)
        return self.cell(f"list {label}", content)

    def value(self, label: str, value: Value) -> int:
        name, compressed = encode(value.name)
        size, data, pointer = len(value.data), value.data, 0
        here = self.cell(f"value {label}\\{value.name}", bytes(20) + name)
        if size <= 4:
            size, pointer = size | 0x80000000, int.from_bytes(data, "little")
        elif size > SEGMENT and self.minor > 3:
            parts = [data[i : i + SEGMENT] for i in range(0, size, SEGMENT)]
            parts[-1] = parts[-1].ljust(SEGMENT, b"\0")  # in a cell as large as the others, as Windows wants it
            segments = [self.cell(f"segment {label}\\{value.name} {i}", part) for i, part in enumerate(parts)]
            listed = self.cell(f"segments {label}\\{value.name}", struct.pack(f"<{len(segments)}I", *segments))
            pointer = self.cell(f"big {label}\\{value.name}", struct.pack("<2sHI", b"db", len(segments), listed))
        else:
            pointer = self.cell(f"data {label}\\{value.name}", data)
        record = struct.pack("<2sHIIIHH", b"vk", len(name), size, pointer, value.type, int(compressed), 0)
        at = self.made.at[f"value {label}\\{value.name}"]
        self.made.data[at : at + len(record)] = record
        return here


def encode(name: str) -> tuple[bytes, bool]:
    """Return a name as a hive holds it, and whether it is flagged compressed."""
    try:
        return name.encode("latin-1"), True
    except UnicodeEncodeError:
        return name.encode("utf-16-le"), False


def utf16(text: str) -> int:
    """Return the length of *text* in bytes of UTF-16."""
    return len(text.encode("utf-16-le"))


def capitals(name: str) -> str:
    """Return a name as Windows compares it; the letters beyond ASCII that have a capital are listed here by hand."""
    return "".join({"é": "É", "ÿ": "Ÿ", "ω": "Ω"}.get(char, char.upper() if char.isascii() else char) for char in name)


def name_hash(name: str) -> int:
    """Return the hash of a name, of its UTF-16 units."""
    value = 0
    for (unit,) in struct.iter_unpack("<H", capitals(name).encode("utf-16-le")):
        value = value * 37 + unit
    return value % 2**32


def name_hint(name: str) -> bytes:
    """Return the first four characters of a name, or zeros if one is beyond Latin-1."""
    raw, compressed = encode(name[:4])
    return raw.ljust(4, b"\0") if compressed else bytes(4)


def records(root: Node) -> Hive:
    """Return what a reader should find in a hive made from *root*."""
    return tuple(Key(path, tuple(node.values)) for path, node in walk(root))


def walk(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Yield a node and all below it, each with its path."""
    yield path, node
    for sub in node.subkeys:
        yield from walk(sub, (*path, sub.name))


def text(string: str) -> bytes:
    """Return a string as REG_SZ holds it."""
    return f"{string}\0".encode("utf-16-le")


BIG = bytes(range(256)) * 80  # 20,480 bytes: two segments
SAMPLE = Node(
    "sample",
    values=(Value("", REG_SZ, text("default")),),
    subkeys=(
        Node(
            "Alpha",
            values=(
                Value("Big", REG_BINARY, BIG),
                Value("Empty", REG_NONE, b""),
                Value("Number", REG_DWORD, b"\1\2\3\4"),
                Value("Text", REG_SZ, text("some text")),
                Value("Ωmega", 0xFFFF0001, b"\xff"),
            ),
            security=1,
        ),
        Node("alphabet", leaf="ri", subkeys=[Node(f"sub{i}") for i in range(5)]),
        Node("Classy", subkeys=(Node("member", class_name="a class"),), class_name="classes"),
        Node("fast", leaf="lf", subkeys=(Node("a"), Node("longer", security=2), Node("Ωmega"))),
        Node("index", leaf="li", subkeys=(Node("a"), Node("b", values=(Value("Long", REG_QWORD, bytes(8)),)))),
        Node("Link", flags=0x10, values=(Value("SymbolicLinkValue", REG_LINK, "\\Registry".encode("utf-16-le")),)),
        Node("µ"),  # sorts as itself, before é's capital; in Unicode it shares the Greek mu's
        Node("é"),
        Node("Ωmega"),
    ),
)
DESCRIPTORS = (descriptor(), descriptor(SYSTEM), descriptor(sacl=SACL))


def sample() -> Made:
    """Make the hive that most damage is done to: every kind of record is in it."""
    return make(SAMPLE, descriptors=DESCRIPTORS)


def lone(*subkeys: Node, leaf: str = "lh", minor: int = 5) -> Made:
    """Make a hive of a root with *subkeys*."""
    return make(Node("root", subkeys=subkeys, leaf=leaf), minor=minor)


def chain(levels: int, last: Node | None = None) -> Node:
    """Return a root with one key below the other, *levels* with the root; *last* is put in the place of the lowest."""
    node = last or Node("k")
    for _ in range(levels - 1):
        node = Node("k", subkeys=(node,))
    return node


def crowd() -> Made:
    """Make a hive so deep and wide at once that its paths outgrow it by far."""
    return make(chain(500, Node("k", subkeys=[Node(f"{i:04}") for i in range(3000)])))


# A BCD store in small; what the bulk of the damage is done to, beside the sample.
STORE = Node(
    "store",
    subkeys=(
        Node("Description", values=(Value("KeyName", REG_SZ, text("BCD00000000")),)),
        Node("Objects", subkeys=(Node("{1}", subkeys=(Node("Elements", leaf="lf"),), leaf="li"), Node("{2}"))),
    ),
    values=(Value("", REG_DWORD, b"\1\0\0\0"),),
)
