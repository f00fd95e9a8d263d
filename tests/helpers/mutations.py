# SPDX-License-Identifier: Apache-2.0
"""Damage done to hives, rule by rule."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from generator.hives.model import REG_NONE, REG_SZ, Value

from .hive_changes import (
    big_data_in_one_cell,
    cut_segment,
    empty_leaf,
    exchange_data_and_security,
    lengthen_class,
    link_of,
    long_segments_list,
    nested_roots,
    oversize_key,
    poke_second_bin,
    redirect,
    shorten_entry,
    swap,
    tiny_key,
    tiny_value,
    two_pairs,
    two_rings,
    with_checksum,
)
from .hive_maker import BASE, BIG, DESCRIPTORS, NIL, Made, Node, chain, lone, make, sample


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


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("file-size", "an empty file", lambda: b""),
    Mutation("file-size", "a base block alone", lambda: bytes(sample().data[:BASE])),
    Mutation("file-size", "half a page of bins", lambda: bytes(lone().data[:6144])),
    _poke("base-signature", "no regf", "", 0, "<4s", b"REGF"),
    Mutation("base-signature", "a small file of another kind", lambda: b"[a]\n"),
    Mutation("base-checksum", "a checksum off by one", lambda: with_checksum(1)),
    Mutation("base-checksum", "a checksum of 0", lambda: with_checksum(0)),
    _poke("base-sequence", "an unfinished write", "", 4, "<I", 8),
    _poke("base-major", "major version 2", "", 20, "<I", 2),
    _damage("base-minor", "minor version 2", lone, lambda made: made.poke("", 24, "<I", 2)),
    _poke("base-minor", "minor version 7", "", 24, "<I", 7),
    _poke("base-type", "a log", "", 28, "<I", 1),
    _poke("base-format", "file format 0", "", 32, "<I", 0),
    _poke("base-cluster", "a clustering factor of 8", "", 44, "<I", 8),
    _poke("base-flags", "a transaction pending", "", 144, "<I", 1),
    _poke("base-flags", "a hive of layered keys", "", 144, "<I", 2),
    _poke("base-boot", "repaired at boot", "", 4088, "<I", 4),
    _poke("base-boot", "recovered at boot", "", 4092, "<I", 1),
    _poke("base-length", "no bins", "", 40, "<I", 0),
    _poke("base-length", "half a page more", "", 40, "<I", BASE + 2048),
    _poke("base-length", "more than 2 GiB", "", 40, "<I", 0x80001000),
    _poke("base-reserved", "a byte behind the known fields", "", 184, "<B", 1),
    _poke("base-reserved", "a byte in the middle", "", 2000, "<B", 1),
    _poke("base-reserved", "a byte before the last fields", "", 4039, "<B", 1),
    _damage("file-rest", "a sector too many", sample, lambda made: made.data.extend(bytes(512))),
    _damage("file-rest", "room for bins to come, with remains", sample, lambda made: made.data.extend(b"hbin" * 4096)),
    _damage("file-length", "a page too few", sample, lambda made: made.data.__delitem__(slice(-4096, None))),
    _damage("bin-signature", "hbon", sample, lambda made: poke_second_bin(made, 0, "<4s", b"hbon")),
    _damage("bin-offset", "the offset of another", sample, lambda made: poke_second_bin(made, 4, "<I", 0)),
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
        "cell-shared", "a class name that is a key", sample, lambda made: redirect(made, "key Classy", 48, "key Alpha")
    ),
    _damage(
        "cell-kind", "a values list that is a key", sample, lambda made: redirect(made, "key Alpha", 40, "key fast")
    ),
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
    _damage("pointer-free", "a free cell", sample, lambda made: redirect(made, "value Alpha\\Text", 8, "free")),
    _set("pointer-volatile", "a volatile value", "values Alpha", 0, 0x80000000),
    _set("pointer-volatile", "a volatile security record", "key Alpha", 44, 0x80000000),
    _poke("key-signature", "no nk", "key Alpha", 0, "<2s", b"NK"),
    _damage("key-signature", "the root is a value", sample, lambda made: redirect(made, "", 36, "value \\")),
    _damage("key-shared", "a key below itself", sample, lambda made: redirect(made, "list alphabet 0", 4, "key ")),
    _damage("key-shared", "a key listed twice", two_pairs, lambda made: redirect(made, "list ", 12, "key a")),
    _damage("key-shared", "a list of two keys", two_pairs, lambda made: redirect(made, "key b", 28, "list a")),
    _poke("key-size", "a name longer than its cell", "key Alpha", 72, "<H", 17),
    _damage("key-size", "a cell too small for a key", sample, tiny_key),
    _made("key-oversize", "a cell of 1,124 bytes", oversize_key),
    *(_set("key-flags", f"flag 0x{flag:x}", "key Alpha", 2, flag) for flag in (1, 2, 0x400, 0x1000, 0x8000)),
    _set("key-flags", "a root that is a mount point", "key ", 2, 2),
    _set("key-predefined", "a handle of Windows", "key Alpha", 2, 0x40),
    _set("key-predefined", "a root that is a handle", "key ", 2, 0x40),
    _set("key-hive-entry", "a second root", "key Alpha", 2, 4),
    _poke("key-layer", "a tombstone", "key Alpha", 13, "<B", 1),
    _poke("key-layer", "a class inherited", "key Alpha", 13, "<B", 0x80),
    _poke("key-layer", "an unknown access bit", "key Alpha", 12, "<B", 4),
    _poke("key-layer", "a spare byte", "key Alpha", 15, "<B", 1),
    _poke("root-flags", "an ordinary key that cannot be deleted", "key ", 2, "<H", 0x28),
    _poke("root-flags", "a root that may be deleted", "key ", 2, "<H", 0x24),
    _poke("root-flags", "a root with a name in UTF-16", "key ", 2, "<H", 0x0C),
    _set("root-symlink", "a root that links elsewhere", "key ", 2, 0x10),
    _damage("key-parent", "its sibling", sample, lambda made: redirect(made, "key Alpha", 16, "key fast")),
    _poke("key-parent", "nowhere", "key fast\\a", 16, "<I", NIL),
    _damage(
        "key-name-empty", "no name", lambda: lone(Node("x"), leaf="li"), lambda made: made.poke("key x", 72, "<H", 0)
    ),
    _made("key-name-length", "256 characters", lambda: lone(Node("x" * 256))),
    _made("key-name-length", "256 characters beyond Latin-1", lambda: lone(Node("Ω" * 256))),
    _made("key-name-length", "128 characters of two UTF-16 units", lambda: lone(Node("\U00010400" * 128), leaf="li")),
    _damage(
        "key-name-encoding",
        "an odd number of bytes",
        lambda: lone(Node("odd"), leaf="li"),
        lambda made: made.poke("key odd", 2, "<H", 0),
    ),
    _damage(
        "key-name-surrogate",
        "half a surrogate pair",
        lambda: lone(Node("Ω"), leaf="li"),
        lambda made: made.poke("key Ω", 76, "<H", 0xD801),
    ),
    _made("key-name-nul", "a name that only the kernel can ask for", lambda: lone(Node("a\0b"))),
    _made("key-name-backslash", "a path", lambda: lone(Node("a\\b"))),
    _poke("key-name-backslash", "a path as the root's name", "key ", 76, "<B", 0x5C),
    _made("key-depth", "513 levels", lambda: make(chain(513))),
    _poke("key-volatile-count", "one volatile subkey", "key Alpha", 24, "<I", 1),
    _poke("key-volatile-list", "a volatile list", "key Alpha", 32, "<I", 0x80000020),
    _poke("key-volatile-list", "what boot loaders leave", "key Alpha", 32, "<I", 0xBAADF00D),
    _poke("key-class", "an odd length", "key Classy", 74, "<H", 13),
    _damage("key-class-size", "longer than its cell", sample, lengthen_class),
    _poke("key-class", "a pointer without a length", "key Classy", 74, "<H", 0),
    _set("key-symlink", "an ordinary key", "key index\\b", 2, 0x10),
    _set("key-symlink", "a key with five values", "key Alpha", 2, 0x10),
    _set("key-symlink-target", "a key with subkeys", "key index", 2, 0x10),
    _set("key-symlink-target", "a key with nothing", "key é", 2, 0x10),
    *(_made("key-symlink", f"a link of {size:,} bytes", partial(link_of, size)) for size in (0, 4, 7, 0x10000)),
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
    _damage("list-signature", "a key", sample, lambda made: redirect(made, "list alphabet", 4, "key alphabet\\sub0")),
    _made("list-version", "hashes before Windows XP", lambda: lone(Node("a"), minor=4)),
    _poke("list-size", "more subkeys than fit", "list fast", 2, "<H", 4),
    _poke("list-size", "more leaves than fit", "list alphabet", 2, "<H", 5),
    _poke("list-size", "more values than fit", "key Alpha", 36, "<I", 6),
    _poke("list-size", "values beyond counting", "key Alpha", 36, "<I", 0x40000001),
    _damage("list-size", "more segments than fit", sample, long_segments_list),
    _made("list-empty", "a leaf of an ri list", empty_leaf),
    _made("list-nested", "an ri list of ri lists", nested_roots),
    _poke("subkey-count", "one too few", "key fast", 20, "<I", 2),
    _poke("subkey-count", "one too many", "key fast", 20, "<I", 4),
    _poke("subkey-count", "one too many over two leaves", "key alphabet", 20, "<I", 6),
    _damage("subkey-order", "two subkeys swapped", sample, lambda made: swap(made, "list fast", 4, 12, 8)),
    _damage("subkey-order", "two leaves swapped", sample, lambda made: swap(made, "list alphabet", 4, 8, 4)),
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
    _damage("value-size", "a cell too small for a value", sample, tiny_value),
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
    _poke("value-name-surrogate", "half a surrogate pair", "value Alpha\\Ωmega", 20, "<H", 0xDC00),
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
    _poke("value-type", "a REG_DWORD of three bytes", "value Alpha\\Number", 4, "<I", 0x80000003),
    _poke("value-type", "a REG_QWORD of seven bytes", "value index\\b\\Long", 4, "<I", 7),
    _poke("value-type", "a REG_DWORD_BIG_ENDIAN of none", "value Alpha\\Empty", 12, "<I", 5),
    _poke("value-inline", "5 bytes in 4", "value Alpha\\Number", 4, "<I", 0x80000005),
    _set("value-inline", "data that has a cell", "value Alpha\\Text", 4, 0x80000000),
    _poke("value-empty", "a pointer to nothing", "value Alpha\\Empty", 4, "<II", 0, 0),
    _poke("value-empty", "a cell of data", "value Alpha\\Text", 4, "<I", 0),
    _poke("value-data", "more data than fits", "value Alpha\\Text", 4, "<I", 21),
    _poke("big-signature", "no db", "big Alpha\\Big", 0, "<2s", b"DB"),
    _made("big-signature", "one cell of 16,345 bytes", big_data_in_one_cell),
    _poke("big-count", "one segment too few", "big Alpha\\Big", 2, "<H", 1),
    _poke("big-count", "one segment too many", "big Alpha\\Big", 2, "<H", 3),
    _damage("big-segment", "a cell of less than the most", sample, lambda made: cut_segment(made, 0)),
    _damage("big-segment", "the last one in a cell of less", sample, lambda made: cut_segment(made, 1)),
    _poke("sk-signature", "no sk", "sk 1", 0, "<2s", b"SK"),
    _damage("sk-signature", "data", sample, exchange_data_and_security),
    _poke("sk-size", "a descriptor longer than its cell", "sk 1", 16, "<I", 200),
    _poke("sk-ring", "not back", "sk 1", 8, "<I", 0),
    _made("sk-ring", "two rings", two_rings),
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
    _damage("sd-sid", "an entry too short for its SID", sample, shorten_entry),
)
