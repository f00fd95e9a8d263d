# SPDX-License-Identifier: Apache-2.0
"""Changes to made hives that take more than one number, and hives that only such changes make."""

from typing import Any

from generator.hives.model import REG_BINARY, REG_LINK, Value

from .hive_maker import BASE, DESCRIPTORS, SEGMENT, Made, Node, lone, make, sample


def swap(made: Made, label: str, first: int, second: int, size: int) -> None:
    start = made.at[label]
    data = made.data
    one = data[start + first : start + first + size]
    data[start + first : start + first + size] = data[start + second : start + second + size]
    data[start + second : start + second + size] = one


def poke_second_bin(made: Made, offset: int, form: str, number: Any) -> None:
    made.poke("", BASE + made.peek("", BASE + 8, "<I") + offset, form, number)


def redirect(made: Made, label: str, offset: int, to: str) -> None:
    made.poke(label, offset, "<I", made.pointer(to))


def resize(made: Made, label: str, size: int) -> None:
    """Say that big data has *size* bytes, and that the key knows."""
    made.poke(f"value {label}", 4, "<I", size)
    made.poke(f"key {label.rpartition(chr(92))[0]}", 64, "<I", size)


def lengthen_class(made: Made) -> None:
    made.poke("key Classy", 74, "<H", 30)
    made.poke("key ", 56, "<I", 30)


def exchange_data_and_security(made: Made) -> None:
    """Exchange the pointers to data and to a security record."""
    data, security = made.pointer("data Alpha\\Text"), made.pointer("sk 1")
    made.poke("key Alpha", 44, "<I", data)
    made.poke("value Alpha\\Text", 8, "<I", security)


def cut_segment(made: Made, number: int) -> None:
    """Make the cell of a data segment as small as a cell that is too small can be close to it."""
    label = f"segment Alpha\\Big {number}"
    size = -made.peek(label, -4, "<i")
    made.poke(label, -4, "<i", 8 - size)
    made.poke(label, size - 12, "<i", 8)  # a free cell


def long_segments_list(made: Made) -> None:
    resize(made, "Alpha\\Big", 9 * SEGMENT)
    made.poke("big Alpha\\Big", 2, "<H", 9)


def oversize_key() -> Made:
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


def two_rings() -> Made:
    made = make(Node("root", subkeys=(Node("a", security=1),)), descriptors=DESCRIPTORS[:2])
    for label in ("sk 0", "sk 1"):
        made.poke(label, 4, "<II", made.pointer(label), made.pointer(label))
    return made


def nested_roots() -> Made:
    made = sample()
    made.poke("list alphabet 0", 0, "<2s", b"ri")
    return made


def empty_leaf() -> Made:
    """Make a hive with an ri list whose second leaf has no entries."""
    made = lone(Node("a"), Node("b"), Node("c"), Node("d"), leaf="ri")
    made.poke("list  1", 2, "<H", 0)
    made.poke("key ", 20, "<I", 2)
    for label in ("key c", "key d"):
        made.poke(label, -4, "<i", 88)
    made.poke("sk 0", 12, "<I", 3)
    return made


def with_checksum(offset: int) -> bytes:
    """Return the sample with its checksum 0, or changed by *offset*."""
    made = sample()
    made.poke("", 508, "<I", (made.peek("", 508, "<I") + offset) if offset else 0)
    return bytes(made.data)


def big_data_in_one_cell() -> Made:
    """Make a hive of minor version 3, where all data is in one cell, and say that it is of version 5."""
    made = make(Node("root", values=(Value("big", REG_BINARY, bytes(SEGMENT + 1)),)), minor=3)
    made.poke("", 24, "<I", 5)
    return made


def shorten_entry(made: Made) -> None:
    made.poke("sk 2", 120, "<H", 1)  # the SACL has but one entry
    made.poke("sk 2", 126, "<H", 8)


def link_of(size: int) -> Made:
    return lone(Node("Link", values=(Value("SymbolicLinkValue", REG_LINK, b"\\" * size),), flags=0x10))


def tiny_key(made: Made) -> None:
    redirect(made, "list ", 4, "data Alpha\\Text")
    made.poke("data Alpha\\Text", 0, "<2s", b"nk")


def tiny_value(made: Made) -> None:
    redirect(made, "values index\\b", 0, "data index\\b\\Long")
    made.poke("data index\\b\\Long", 0, "<2s", b"vk")


def two_pairs() -> Made:
    """Make a hive of a root with two keys, each of which has one below it, in lists without hashes."""
    return lone(*(Node(name, subkeys=(Node("x"),), leaf="li") for name in "ab"))
