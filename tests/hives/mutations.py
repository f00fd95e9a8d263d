# SPDX-License-Identifier: Apache-2.0
"""A maker of hives that shares nothing with the builder nor the reader, and damage done to its hives, rule by rule.

What hivex never writes is made here too: lf, li and ri lists, big data, several security records, class names, links.
"""

import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from generator.hives.model import REG_BINARY, REG_DWORD, REG_NONE, REG_QWORD, REG_SZ, Hive, Key, Value

NIL = 0xFFFFFFFF
BASE = 0x1000
SEGMENT = 16344  # bytes of data in a segment
REG_LINK = 6

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
    """Return the hash of a name of one UTF-16 unit a character."""
    value = 0
    for char in capitals(name):
        value = value * 37 + ord(char)
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


@dataclass(frozen=True)
class Mutation:
    """Damage that breaks *rule* and no other."""

    rule: str
    what: str
    hive: Callable[[], bytes]


def _damage(rule: str, what: str, base: Callable[[], Made], harm: Callable[[Made], object]) -> Mutation:
    def hive() -> bytes:
        made = base()
        harm(made)
        return made.seal()

    return Mutation(rule, what, hive)


def _poke(rule: str, what: str, label: str, offset: int, form: str, *numbers: Any) -> Mutation:
    return _damage(rule, what, sample, lambda made: made.poke(label, offset, form, *numbers))


def _set(rule: str, what: str, label: str, offset: int, bits: int) -> Mutation:
    """Set bits of a 16-bit number, or of a 32-bit one if they lie there."""
    form = "<H" if bits < 0x10000 else "<I"
    return _damage(
        rule, what, sample, lambda made: made.poke(label, offset, form, made.peek(label, offset, form) | bits)
    )


def _made(rule: str, what: str, base: Callable[[], Made]) -> Mutation:
    return Mutation(rule, what, lambda: base().seal())


def _swap(made: Made, label: str, first: int, second: int, size: int) -> None:
    start = made.at[label]
    data = made.data
    one = data[start + first : start + first + size]
    data[start + first : start + first + size] = data[start + second : start + second + size]
    data[start + second : start + second + size] = one


def _second_bin(made: Made, offset: int, form: str, number: Any) -> None:
    made.poke("", BASE + made.peek("", BASE + 8, "<I") + offset, form, number)


def _point(made: Made, label: str, offset: int, to: str) -> None:
    made.poke(label, offset, "<I", made.pointer(to))


def _resize(made: Made, label: str, size: int) -> None:
    """Say that big data has *size* bytes, and that the key knows."""
    made.poke(f"value {label}", 4, "<I", size)
    made.poke(f"key {label.rpartition(chr(92))[0]}", 64, "<I", size)


def _long_class(made: Made) -> None:
    made.poke("key Classy", 74, "<H", 30)
    made.poke("key ", 56, "<I", 30)


def _data_for_security(made: Made) -> None:
    """Exchange the pointers to data and to a security record."""
    data, security = made.pointer("data Alpha\\Text"), made.pointer("sk 1")
    made.poke("key Alpha", 44, "<I", data)
    made.poke("value Alpha\\Text", 8, "<I", security)


def _big_list(made: Made) -> None:
    _resize(made, "Alpha\\Big", 9 * SEGMENT)
    made.poke("big Alpha\\Big", 2, "<H", 9)


def _oversize() -> Made:
    """Make a hive with a key in a cell that is larger than a key can be."""
    made = lone(Node("x" * 255), leaf="li")
    free = made.at["free"] - 4
    at = made.at["key " + "x" * 255] - 4
    size = made.peek("", free, "<i")
    # The key's cell moves to the start of the free cell and takes 1,128 bytes of it.
    made.data[free : free + 340] = made.data[at : at + 340]
    made.poke("", free, "<i", -1128)
    made.poke("", free + 1128, "<i", size - 1128)
    made.poke("", at, "<i", -made.peek("", at, "<i"))
    made.poke("list ", 4, "<I", free - BASE)
    return made


def _ring_of_two(reached: bool) -> Made:
    made = make(Node("root", subkeys=(Node("a", security=1),)), descriptors=DESCRIPTORS[:2])
    if not reached:
        for label in ("sk 0", "sk 1"):
            made.poke(label, 4, "<II", made.pointer(label), made.pointer(label))
    return made


def _nested() -> Made:
    made = sample()
    made.poke("list alphabet 0", 0, "<2s", b"ri")
    return made


def _empty_leaf() -> Made:
    """Make a hive with an ri list whose second leaf has no entries."""
    made = lone(Node("a"), Node("b"), Node("c"), Node("d"), leaf="ri")
    made.poke("list  1", 2, "<H", 0)
    made.poke("key ", 20, "<I", 2)
    for label in ("key c", "key d"):
        made.poke(label, -4, "<i", 88)
    made.poke("sk 0", 12, "<I", 3)
    return made


def _checksum(offset: int) -> bytes:
    """Return the sample with its checksum 0, or changed by *offset*."""
    made = sample()
    made.poke("", 508, "<I", (made.peek("", 508, "<I") + offset) if offset else 0)
    return bytes(made.data)


def _plain_big() -> Made:
    """Make a hive of minor version 3, where all data is in one cell, and say that it is of version 5."""
    made = make(Node("root", values=(Value("big", REG_BINARY, bytes(SEGMENT + 1)),)), minor=3)
    made.poke("", 24, "<I", 5)
    return made


def _short_entry(made: Made) -> None:
    made.poke("sk 2", 120, "<H", 1)  # the SACL has but one entry
    made.poke("sk 2", 126, "<H", 8)


def _tiny_key(made: Made) -> None:
    _point(made, "list ", 4, "data Alpha\\Text")
    made.poke("data Alpha\\Text", 0, "<2s", b"nk")


def _tiny_value(made: Made) -> None:
    _point(made, "values index\\b", 0, "data index\\b\\Long")
    made.poke("data index\\b\\Long", 0, "<2s", b"vk")


def crowd() -> Made:
    """Make a hive so deep and wide at once that its paths outgrow it by far."""
    return make(chain(500, Node("k", subkeys=[Node(f"{i:04}") for i in range(3000)])))


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("file-size", "an empty file", lambda: b""),
    Mutation("file-size", "a base block alone", lambda: bytes(sample().data[:BASE])),
    Mutation("file-size", "half a page of bins", lambda: bytes(lone().data[:6144])),
    _poke("base-signature", "no regf", "", 0, "<4s", b"REGF"),
    Mutation("base-checksum", "a checksum off by one", lambda: _checksum(1)),
    Mutation("base-checksum", "a checksum of 0", lambda: _checksum(0)),
    _poke("base-sequence", "an unfinished write", "", 4, "<I", 8),
    _poke("base-major", "major version 2", "", 20, "<I", 2),
    _damage("base-minor", "minor version 2", lone, lambda made: made.poke("", 24, "<I", 2)),
    _poke("base-minor", "minor version 7", "", 24, "<I", 7),
    _poke("base-type", "a log", "", 28, "<I", 1),
    _poke("base-format", "file format 0", "", 32, "<I", 0),
    _poke("base-cluster", "a clustering factor of 8", "", 44, "<I", 8),
    _poke("base-length", "no bins", "", 40, "<I", 0),
    _poke("base-length", "half a page more", "", 40, "<I", BASE + 2048),
    _poke("base-length", "more than 2 GiB", "", 40, "<I", 0x80001000),
    _poke("base-reserved", "a byte behind the known fields", "", 184, "<B", 1),
    _poke("base-reserved", "a byte in the middle", "", 2000, "<B", 1),
    _poke("base-reserved", "a byte before the last fields", "", 4039, "<B", 1),
    _damage("file-length", "a sector too many", sample, lambda made: made.data.extend(bytes(512))),
    _damage("file-length", "a page too few", sample, lambda made: made.data.__delitem__(slice(-4096, None))),
    _damage("bin-signature", "hbon", sample, lambda made: _second_bin(made, 0, "<4s", b"hbon")),
    _damage("bin-offset", "the offset of another", sample, lambda made: _second_bin(made, 4, "<I", 0)),
    _poke("bin-size", "no size", "", BASE + 8, "<I", 0),
    _poke("bin-size", "a page and a half", "", BASE + 8, "<I", 6144),
    _poke("bin-size", "beyond the end", "", BASE + 8, "<I", 0x100000),
    _poke("bin-reserved", "a reserved byte", "", BASE + 12, "<B", 1),
    _poke("bin-reserved", "another", "", BASE + 19, "<B", 1),
    _poke("cell-size", "a cell of 0 bytes", "free", -4, "<i", 0),
    _poke("cell-size", "a cell of 12 bytes", "free", -4, "<i", 12),
    _poke("cell-size", "a cell beyond its bin", "free", -4, "<i", 0x10000),
    _poke("cell-size", "a cell in use beyond its bin", "key Alpha", -4, "<i", -0x80000000),
    _damage(
        "cell-shared",
        "a value listed twice",
        sample,
        lambda made: made.poke("values Alpha", 0, "<I", made.peek("values Alpha", 4, "<I")),
    ),
    _damage(
        "cell-shared", "a class name that is a key", sample, lambda made: _point(made, "key Classy", 48, "key Alpha")
    ),
    _damage("cell-shared", "a key below itself", sample, lambda made: _point(made, "list alphabet 0", 4, "key ")),
    _damage(
        "cell-leak", "a cell in use", sample, lambda made: made.poke("free", -4, "<i", -made.peek("free", -4, "<i"))
    ),
    _damage(
        "pointer-cell",
        "into a cell",
        sample,
        lambda made: made.poke("values Alpha", 0, "<I", made.pointer("value Alpha\\Big") + 8),
    ),
    _damage(
        "pointer-cell",
        "beside a cell",
        sample,
        lambda made: made.poke("values Alpha", 0, "<I", made.pointer("value Alpha\\Big") + 4),
    ),
    _poke("pointer-cell", "beyond the hive", "list ", 4, "<I", 0x7FFFFFF8),
    _poke("pointer-cell", "nil", "value Alpha\\Text", 8, "<I", NIL),
    _poke("pointer-cell", "the root nowhere", "", 36, "<I", 0x28),
    _poke("pointer-cell", "a bin's header", "", 36, "<I", 0),
    _poke("pointer-cell", "segments nowhere", "big Alpha\\Big", 4, "<I", 0),
    _poke("pointer-cell", "a segment nowhere", "segments Alpha\\Big", 4, "<I", 0),
    _poke("pointer-cell", "the ring of security records leads nowhere", "sk 0", 4, "<I", NIL),
    _damage("pointer-free", "a free cell", sample, lambda made: _point(made, "value Alpha\\Text", 8, "free")),
    _set("pointer-volatile", "a volatile value", "values Alpha", 0, 0x80000000),
    _set("pointer-volatile", "a volatile security record", "key Alpha", 44, 0x80000000),
    _poke("key-signature", "no nk", "key Alpha", 0, "<2s", b"NK"),
    _damage("key-signature", "the root is a value", sample, lambda made: _point(made, "", 36, "value \\")),
    _poke("key-size", "a name longer than its cell", "key Alpha", 72, "<H", 17),
    _damage("key-size", "a cell too small for a key", sample, _tiny_key),
    _made("key-oversize", "a cell of 1,124 bytes", _oversize),
    *(_set("key-flags", f"flag 0x{flag:x}", "key Alpha", 2, flag) for flag in (1, 2, 0x40, 0x400, 0x8000)),
    _set("key-flags", "a root that is a mount point", "key ", 2, 2),
    _set("key-hive-entry", "a second root", "key Alpha", 2, 4),
    _poke("root-flags", "an ordinary key", "key ", 2, "<H", 0x20),
    _poke("root-flags", "a root that may be deleted", "key ", 2, "<H", 0x24),
    _poke("root-flags", "a root with a name in UTF-16", "key ", 2, "<H", 0x0C),
    _damage("key-parent", "its sibling", sample, lambda made: _point(made, "key Alpha", 16, "key fast")),
    _poke("key-parent", "nowhere", "key fast\\a", 16, "<I", NIL),
    _damage(
        "key-name-length", "no name", lambda: lone(Node("x"), leaf="li"), lambda made: made.poke("key x", 72, "<H", 0)
    ),
    _made("key-name-length", "256 characters", lambda: lone(Node("x" * 256))),
    _made("key-name-length", "256 characters beyond Latin-1", lambda: lone(Node("Ω" * 256))),
    _made("key-name-length", "128 characters of two UTF-16 units", lambda: lone(Node("\U00010400" * 128), leaf="li")),
    _poke("key-name-encoding", "an odd number of bytes", "key Alpha", 2, "<H", 0),
    _poke("key-name-encoding", "half a surrogate pair", "key Ωmega", 76, "<H", 0xD800),
    _made("key-name-backslash", "a path", lambda: lone(Node("a\\b"))),
    _made("key-depth", "513 levels", lambda: make(chain(513))),
    _poke("key-volatile-count", "one volatile subkey", "key Alpha", 24, "<I", 1),
    _poke("key-volatile-list", "a volatile list", "key Alpha", 32, "<I", 0x80000020),
    _poke("key-volatile-list", "what boot loaders leave", "key Alpha", 32, "<I", 0xBAADF00D),
    _poke("key-class", "an odd length", "key Classy", 74, "<H", 13),
    _damage("key-class", "longer than its cell", sample, _long_class),
    _poke("key-class", "a pointer without a length", "key Classy", 74, "<H", 0),
    _set("key-symlink", "an ordinary key", "key index\\b", 2, 0x10),
    _set("key-symlink", "a key with subkeys", "key index", 2, 0x10),
    _set("key-symlink", "a key with nothing", "key é", 2, 0x10),
    _poke("key-symlink", "a link of another type", "value Link\\SymbolicLinkValue", 12, "<I", REG_SZ),
    _poke("key-max-name", "one byte too few", "key ", 52, "<H", 2 * len("alphabet") - 1),
    _poke("key-max-name", "nothing but the flags of virtualization", "key ", 52, "<I", 0xFFFF0000),
    _poke("key-max-class", "one byte too few", "key ", 56, "<I", 13),
    _poke("key-max-value-name", "one byte too few", "key Alpha", 60, "<I", 11),
    _poke("key-max-value-data", "one byte too few", "key Alpha", 64, "<I", len(BIG) - 1),
    _poke("list-nil", "a subkeys list of nothing", "key Alpha", 28, "<I", 0),
    _poke("list-nil", "a values list of nothing", "key fast", 40, "<I", 0),
    _poke("list-nil", "a subkeys list of 0 entries", "key index", 20, "<I", 0),
    _poke("list-nil", "a values list of 0 entries", "key Alpha", 36, "<I", 0),
    _poke("list-signature", "no list", "list index", 0, "<2s", b"lI"),
    _damage("list-signature", "a key", sample, lambda made: _point(made, "list alphabet", 4, "key alphabet\\sub0")),
    _made("list-version", "hashes before Windows XP", lambda: lone(Node("a"), minor=4)),
    _poke("list-size", "more subkeys than fit", "list fast", 2, "<H", 4),
    _poke("list-size", "more leaves than fit", "list alphabet", 2, "<H", 5),
    _poke("list-size", "more values than fit", "key Alpha", 36, "<I", 6),
    _poke("list-size", "values beyond counting", "key Alpha", 36, "<I", 0x40000001),
    _damage("list-size", "more segments than fit", sample, _big_list),
    _made("list-empty", "a leaf of an ri list", _empty_leaf),
    _made("list-nested", "an ri list of ri lists", _nested),
    _poke("subkey-count", "one too few", "key fast", 20, "<I", 2),
    _poke("subkey-count", "one too many", "key fast", 20, "<I", 4),
    _poke("subkey-count", "one too many over two leaves", "key alphabet", 20, "<I", 6),
    _damage("subkey-order", "two subkeys swapped", sample, lambda made: _swap(made, "list fast", 4, 12, 8)),
    _damage("subkey-order", "two leaves swapped", sample, lambda made: _swap(made, "list alphabet", 4, 8, 4)),
    _made("subkey-order", "sorted by small letters", lambda: lone(Node("a_b"), Node("ab"))),
    _made("subkey-order", "sorted by code points", lambda: lone(Node("\uff5e"), Node("\U00010400"), leaf="li")),
    _made("subkey-duplicate", "names that differ in case", lambda: lone(Node("same"), Node("SAME"))),
    _made("subkey-duplicate", "names that differ in nothing", lambda: lone(Node("same"), Node("same"), leaf="li")),
    _made("subkey-duplicate", "the same letters in Latin-1 and UTF-16", lambda: lone(Node("ÿ"), Node("Ÿ"))),
    _poke("subkey-hash", "a hash of nothing", "list ", 8, "<I", 0),
    _poke("subkey-hint", "a hint of nothing", "list fast", 8, "<I", 0),
    _poke("subkey-hint", "a hint in capitals", "list fast", 16, "<4s", b"LONG"),
    _poke("subkey-hint", "a hint beyond Latin-1", "list fast", 24, "<4s", b"?meg"),
    _poke("value-signature", "no vk", "value Alpha\\Text", 0, "<2s", b"VK"),
    _poke("value-size", "a name longer than its cell", "value Alpha\\Text", 2, "<H", 9),
    _damage("value-size", "a cell too small for a value", sample, _tiny_value),
    _set("value-flags", "a tombstone", "value Alpha\\Text", 16, 2),
    _made(
        "value-name-length",
        "16,384 characters",
        lambda: make(Node("root", values=(Value("x" * 16384, REG_NONE, b""),))),
    ),
    _made(
        "value-name-length",
        "16,384 characters beyond Latin-1",
        lambda: make(Node("root", values=(Value("Ω" * 16384, REG_NONE, b""),))),
    ),
    _poke("value-name-encoding", "an odd number of bytes", "value Alpha\\Big", 16, "<H", 0),
    _poke("value-name-encoding", "half a surrogate pair", "value Alpha\\Ωmega", 20, "<H", 0xDC00),
    _made(
        "value-duplicate",
        "names that differ in case",
        lambda: make(Node("root", values=(Value("a", REG_NONE, b""), Value("A", REG_NONE, b"")))),
    ),
    _made(
        "value-duplicate",
        "two default values",
        lambda: make(Node("root", values=(Value("", REG_NONE, b""), Value("", REG_SZ, b"")))),
    ),
    _poke("value-inline", "5 bytes in 4", "value Alpha\\Number", 4, "<I", 0x80000005),
    _set("value-inline", "data that has a cell", "value Alpha\\Text", 4, 0x80000000),
    _poke("value-empty", "a pointer to nothing", "value Alpha\\Empty", 4, "<II", 0, 0),
    _poke("value-empty", "a cell of data", "value Alpha\\Text", 4, "<I", 0),
    _poke("value-data", "more data than fits", "value Alpha\\Text", 4, "<I", 21),
    _poke("big-signature", "no db", "big Alpha\\Big", 0, "<2s", b"DB"),
    _made("big-signature", "one cell of 16,345 bytes", _plain_big),
    _poke("big-count", "one segment too few", "big Alpha\\Big", 2, "<H", 1),
    _poke("big-count", "one segment too many", "big Alpha\\Big", 2, "<H", 3),
    _damage("big-segment", "more data than fits", sample, lambda made: _resize(made, "Alpha\\Big", len(BIG) + 5)),
    _poke("sk-signature", "no sk", "sk 1", 0, "<2s", b"SK"),
    _damage("sk-signature", "data", sample, _data_for_security),
    _poke("sk-size", "a descriptor longer than its cell", "sk 1", 16, "<I", 200),
    _poke("sk-ring", "not back", "sk 1", 8, "<I", 0),
    _made("sk-ring", "two rings", lambda: _ring_of_two(reached=False)),
    _damage(
        "sk-ring", "forward into the middle", sample, lambda made: made.poke("sk 2", 4, "<I", made.pointer("sk 1"))
    ),
    _made("sk-orphan", "a record without keys", lambda: make(Node("root"), descriptors=DESCRIPTORS[:2], unused=1)),
    _poke("sk-count", "one key too many", "sk 1", 12, "<I", 2),
    _poke("sk-count", "no keys", "sk 0", 12, "<I", 0),
    _poke("sd-header", "revision 2", "sk 0", 20, "<B", 2),
    _poke("sd-header", "an absolute descriptor", "sk 0", 22, "<H", 0x0004),
    _poke("sd-header", "no descriptor", "sk 0", 16, "<I", 0),
    _poke("sd-owner", "no owner", "sk 0", 24, "<I", 0),
    _poke("sd-group", "no group", "sk 0", 28, "<I", 0),
    _poke("sd-dacl", "no DACL", "sk 0", 36, "<I", 0),
    _poke("sd-dacl", "a DACL not announced", "sk 0", 22, "<H", 0x8000),
    _poke("sd-bounds", "an owner beside the grid", "sk 0", 24, "<I", 22),
    _poke("sd-bounds", "an owner in the header", "sk 0", 24, "<I", 16),
    _poke("sd-bounds", "a group behind the end", "sk 0", 28, "<I", 1000),
    _poke("sd-bounds", "a DACL behind the end", "sk 0", 36, "<I", 1000),
    _poke("sd-bounds", "a SACL behind the end", "sk 2", 32, "<I", 1000),
    _poke("sd-sid", "an owner of revision 2", "sk 0", 40, "<B", 2),
    _poke("sd-sid", "16 sub-authorities", "sk 0", 41, "<B", 16),
    _poke("sd-sid", "a SID longer than its entry", "sk 0", 85, "<B", 2),
    _poke("sd-acl", "revision 1", "sk 0", 68, "<B", 1),
    _poke("sd-acl", "a size beyond the descriptor", "sk 0", 70, "<H", 52),
    _poke("sd-acl", "a size beside the grid", "sk 0", 70, "<H", 46),
    _poke("sd-acl", "a size less than its header", "sk 0", 70, "<H", 4),
    _poke("sd-ace", "more entries than fit", "sk 0", 72, "<H", 3),
    _poke("sd-ace", "an entry of 0 bytes", "sk 0", 78, "<H", 0),
    _poke("sd-ace", "an entry beside the grid", "sk 0", 78, "<H", 22),
    _poke("sd-ace", "an entry beyond its list", "sk 0", 78, "<H", 44),
    _damage("sd-sid", "an entry too short for its SID", sample, _short_entry),
    _made("read-limit", "3,000 keys on level 501", crowd),
)


def mutate(chance: random.Random, hive: bytes, live: Sequence[range]) -> bytes:
    """Return *hive* with a few random changes where it is *live*; in half of the cases its checksum is made right."""
    data = bytearray(hive)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        _edit(chance, data, live)
    if chance.random() < 0.02:
        size = chance.randrange(len(data) + 64)
        data[size:] = bytes(max(0, size - len(data)))
    return seal(data) if len(data) >= 512 and chance.random() < 0.5 else bytes(data)


NUMBERS = (
    0,
    1,
    2,
    4,
    5,
    8,
    0x20,
    0x28,
    0x7F,
    0xFF,
    0x100,
    0xFFFF,
    0x1000,
    0x3FD9,
    0x7FFFFFFF,
    0x80000000,
    0x80000004,
    NIL,
)


def _edit(chance: random.Random, data: bytearray, live: Sequence[range]) -> None:
    at = chance.choice(chance.choice(live))
    word = at & ~3
    kind = chance.randrange(6)
    if kind == 0:
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[at] = chance.randrange(256)
    elif kind == 2:
        data[word : word + 4] = struct.pack("<I", chance.choice(NUMBERS))
    elif kind == 3:
        number = int.from_bytes(data[word : word + 4], "little") + chance.choice((-8, -4, -1, 1, 4, 8))
        data[word : word + 4] = struct.pack("<I", number & NIL)
    else:
        # One pointer for another, or a record over another.
        size = 4 if kind == 4 else chance.choice((8, 16, 80))
        start = chance.choice(chance.choice(live)) & ~3
        piece = data[start : start + size]
        data[word : word + len(piece)] = piece


def live_parts(hive: bytes) -> tuple[range, ...]:
    """Return the parts of a hive worth damage: the base block's fields, and the bins up to the last zeros."""
    end = len(hive.rstrip(b"\0"))
    return (range(48), *(range(start, min(start + 4096, end)) for start in range(BASE, end, 4096)))
