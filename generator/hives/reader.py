# SPDX-License-Identifier: Apache-2.0
"""Strict reader of registry hives (primary files of the "regf" format): what is in one, and is it sound?

It accounts for every cell of a hive: each is free or used by exactly one owner, security records apart. It asks for
what Windows' loader and msuhanov's specification ask for, and for the tidiness of a hive that was made, not lived in:
nothing volatile, nothing left over, no reserved byte in use. It knows nothing of how hives are built.

Every number on disk is little-endian. Offsets in findings count bytes from the start of the file; offsets inside a
hive, here called pointers, count from the first bin, which starts at 0x1000.
"""

import contextlib
import struct
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final, NamedTuple, NoReturn

from ..errors import GeneratorError
from ..security import descriptor
from .model import Hive, Key, Value
from .rules import RULES

MAX_FINDINGS: Final = 100  # enough to mend by; a hive of rubbish has no end of them
_BASE_BLOCK: Final = 0x1000
_PAGE: Final = 0x1000
_MAX_LENGTH: Final = 0x80000000  # a pointer's bit 31 says volatile
_NIL: Final = 0xFFFFFFFF
_INLINE: Final = 0x80000000
_SEGMENT: Final = 16344
_MAX_LEVELS: Final = 512
_MAX_KEY_CELL: Final = 1116

_U16 = struct.Struct("<H")
_TWO_U16 = struct.Struct("<HH")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
# Signature, two sequence numbers, time, major, minor, type, format, root, length, cluster.
_BASE = struct.Struct("<4sIIQIIIIIII")
_CHECKSUM = struct.Struct("<127II")
_BIN = struct.Struct("<4sIIQQI")  # signature, offset, size, reserved, time, spare
_LIST = struct.Struct("<2sH")  # signature, count
_LIST_WIDTHS: Final = {b"lh": 8, b"lf": 8, b"li": 4, b"ri": 4}  # bytes an entry
# Signature, flags, time, access bits, parent, subkeys (stable, volatile), their lists, values, their list, security,
# class, largest (subkey name, subkey class, value name, value data), spare, name length, class length.
_KEY = struct.Struct("<2sHQIIIIIIIIIIIIIIIHH")
_VALUE = struct.Struct("<2sHIIIHH")  # signature, name length, data size, data, type, flags, spare
_BIG = struct.Struct("<2sHI")  # signature, segments, their list
_SECURITY = struct.Struct("<2sHIIII")  # signature, reserved, forward, backward, references, descriptor size

_HIVE_ENTRY: Final = 0x04
_SYM_LINK: Final = 0x10
_COMPRESSED: Final = 0x20
_ROOT_FLAGS: Final = 0x2C  # hive entry, no delete, compressed name
_ROOT_MASK: Final = 0x3C
_REFUSED_FLAGS: Final = 0xFC43  # volatile, mount point, predefined handle, and what is not known
_REG_LINK: Final = 6

# Parts of the base block that no writer is known to use. Windows keeps transaction identifiers and times at 112 to 175
# and 4040 to 4095; its offline registry library is said to leave a mark at 176 and a time at 512.
_RESERVED: Final = ((184, 508), (520, 4040))

# What a byte of the cell map says of the eight bytes that it stands for.
_INSIDE, _FREE, _USED, _OWNED = range(4)


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: *offset* in bytes from the start of the file, *rule* a name in RULES."""

    offset: int
    rule: str
    message: str


class HiveError(GeneratorError):
    """A hive breaks a rule; *offset* is in bytes from the start of the file, *rule* a name in RULES."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.offset = finding.offset
        self.rule = finding.rule


def read_hive(data: bytes) -> Hive:
    """Return all keys and values of a hive, each parent before its subkeys, or raise HiveError at the first fault."""
    judge = _Judge(data, findings=None)
    judge.run()
    return tuple(judge.keys)


def check_hive(data: bytes) -> list[Finding]:
    """Return what is wrong with a hive, MAX_FINDINGS at most, leaving out what cannot be told behind a fault."""
    return walked(data).findings or []


class _EnoughError(Exception):
    """The walk cannot go on, or there are findings enough."""


def walked(data: bytes) -> "_Judge":
    judge = _Judge(data, findings=[])
    with contextlib.suppress(_EnoughError):
        judge.run()
    return judge


def _order(name: str) -> bytes:
    """Return what Windows sorts *name* by: its UTF-16 units in upper case, big-endian so that bytes compare alike."""
    return (name.upper() if name.isascii() else "".join(map(_upper, name))).encode("utf-16-be")


def _upper(char: str) -> str:
    """Return *char* in upper case as Windows has it: one UTF-16 unit for one, and nothing for a letter that shares its
    capital with another, such as the micro sign and the dotless i; but the final sigma has one.

    Exact for Latin-1, nearly so beyond: there, each version of Windows and of Unicode knows more pairs of letters.
    """
    upper = char.upper()
    paired = len(upper) == 1 and char <= "\uffff" and (upper.lower() == char or char == "\u03c2")
    return upper if paired else char


def _hash(order: bytes) -> int:
    """Return the hash that an `lh` entry holds, from the name's sort key."""
    value = 0
    for high, low in zip(order[::2], order[1::2], strict=True):
        value = (value * 37 + (high << 8 | low)) & 0xFFFFFFFF
    return value


def _hint(name: str) -> bytes:
    """Return what an `lf` entry begins with: the name's first four characters, or one zero if not all are Latin-1."""
    try:
        return name[:4].encode("latin-1").ljust(4, b"\0")
    except UnicodeEncodeError:
        return b"\0"


class _KeyHead(NamedTuple):
    """What a parent needs to know of a subkey: where its record is, its name if it can be told, its class name."""

    at: int
    name: str | None
    class_length: int  # in bytes


class _Judge:
    """One reading of one hive. With *findings* None the first fault raises HiveError, else faults are gathered."""

    def __init__(self, data: bytes, findings: list[Finding] | None) -> None:
        self.data = bytes(data)
        self.findings = findings
        self.keys: list[Key] = []
        self.key_count = 0
        self.value_count = 0
        self.minor = 0
        self.cells = bytearray()
        self.users: dict[int, int] = {}  # pointer to a security record: number of keys that use it
        self.whole = True  # no part of the tree had to be skipped
        # Paths share their names but not their tuples, so a hive both deep and wide would outgrow its file.
        self.path_room = len(self.data) + 0x400000

    def run(self) -> None:
        root = self._base()
        self._bins()
        self._tree(root)
        if self.whole:
            self._security_ring()
        if self.whole:
            self._leaks()

    def _fault(self, offset: int, rule: str, wrong: str, right: str | None = None) -> None:
        known = RULES[rule]
        finding = Finding(offset, rule, f"offset 0x{offset:x}: {wrong}, {right or known.text} ({rule}; {known.source})")
        if self.findings is None:
            raise HiveError(finding)
        self.findings.append(finding)
        if len(self.findings) >= MAX_FINDINGS:
            raise _EnoughError

    def _stop(self, offset: int, rule: str, wrong: str) -> NoReturn:
        """Report a fault behind which nothing can be told."""
        self._fault(offset, rule, wrong)
        raise _EnoughError

    # The file, its bins and its cells.

    def _base(self) -> int:
        """Check the base block and return the pointer to the root key."""
        data = self.data
        if len(data) < _BASE_BLOCK + _PAGE:
            self._stop(0, "file-size", f"the file has {len(data):,} bytes")
        signature, first, second, _, major, minor, kind, form, root, length, cluster = _BASE.unpack_from(data)
        if signature != b"regf":
            self._stop(0, "base-signature", f"the file begins with {signature!r}")
        *words, checksum = _CHECKSUM.unpack_from(data)
        right = reduce(xor, words)
        right = {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(right, right)
        if checksum != right:
            self._fault(508, "base-checksum", f"the checksum is 0x{checksum:08x}", f"it must be 0x{right:08x}")
        if first != second:
            self._fault(4, "base-sequence", f"the sequence numbers are {first} and {second}")
        if not 3 <= minor <= 6:
            self._fault(24, "base-minor", f"the minor version is {minor}")
        for at, rule, what, number, only in (
            (20, "base-major", "major version", major, 1),
            (28, "base-type", "file type", kind, 0),
            (32, "base-format", "file format", form, 1),
            (44, "base-cluster", "clustering factor", cluster, 1),
        ):
            if number != only:
                self._fault(at, rule, f"the {what} is {number}")
        for start, end in _RESERVED:
            if data.count(0, start, end) != end - start:
                at = next(i for i in range(start, end) if data[i])
                self._fault(at, "base-reserved", f"a reserved byte of the base block is 0x{data[at]:02x}")
        if length % _PAGE or not 0 < length <= _MAX_LENGTH:
            self._stop(40, "base-length", f"the bins' length is {length:,}")
        if length != len(data) - _BASE_BLOCK:
            held = f"the bins' length is {length:,} and the file has {len(data) - _BASE_BLOCK:,} bytes for them"
            self._stop(40, "file-length", held)
        self.minor = minor
        return int(root)

    def _bins(self) -> None:
        """Check all bins and map their cells."""
        data = self.data
        length = len(data) - _BASE_BLOCK
        self.cells = bytearray(length // 8)
        start = 0
        while start < length:
            at = _BASE_BLOCK + start
            signature, offset, size, reserved, _, _ = _BIN.unpack_from(data, at)
            if signature != b"hbin":
                self._fault(at, "bin-signature", f"a bin begins with {signature!r}")
            if offset != start:
                self._fault(at + 4, "bin-offset", f"the bin's offset is 0x{offset:x}", f"it must be 0x{start:x}")
            if size == 0 or size % _PAGE or size > length - start:
                self._stop(at + 8, "bin-size", f"the bin's size is {size:,}")
            if reserved:
                self._fault(at + 12, "bin-reserved", f"the bin's reserved bytes are 0x{reserved:016x}")
            self._bin_cells(start + 32, start + size)
            start += size

    def _bin_cells(self, pointer: int, end: int) -> None:
        data, cells, size_at = self.data, self.cells, _I32.unpack_from
        while pointer < end:
            (size,) = size_at(data, pointer + _BASE_BLOCK)
            state = _FREE
            if size < 0:
                size, state = -size, _USED
            if size == 0 or size & 7 or size > end - pointer:
                self._stop(pointer + _BASE_BLOCK, "cell-size", f"the cell's size is {size:,}")
            cells[pointer >> 3] = state
            pointer += size

    def _leaks(self) -> None:
        at = self.cells.find(_USED)
        while at >= 0:
            self._fault(at * 8 + _BASE_BLOCK, "cell-leak", "nothing points to this cell in use")
            at = self.cells.find(_USED, at + 1)

    def _cell(self, pointer: int, field: int, what: str) -> tuple[int, int] | None:
        """Take the cell of *what*; return where its content starts and ends in the file, or None if it cannot be had.

        *field* is where in the file the pointer is.
        """
        state = _INSIDE
        if not pointer & 7 and pointer >> 3 < len(self.cells):
            state = self.cells[pointer >> 3]
        if state != _USED:
            named = f"the pointer to {what} is 0x{pointer:x}"
            if state == _OWNED:
                self._fault(field, "cell-shared", named)
            elif state == _FREE:
                self._fault(field, "pointer-free", named)
            elif pointer & 0x80000000 and pointer != _NIL:
                self._fault(field, "pointer-volatile", named)
            else:
                self._fault(field, "pointer-cell", named)
            self.whole = False
            return None
        self.cells[pointer >> 3] = _OWNED
        at = pointer + _BASE_BLOCK
        return at + 4, at - int(_I32.unpack_from(self.data, at)[0])

    # Keys.

    def _tree(self, root: int) -> None:
        """Walk all keys, each parent before its subkeys; a stack of our own, for Python's is shallower than a hive."""
        head = self._key_head(root, 36, "the root key")
        if head is None:
            return
        # For each key still to be read: where its record is, its parent's pointer, its level and its path.
        stack: list[tuple[int, int | None, int, tuple[str, ...]]] = [(head.at, None, 1, ())]
        while stack:
            at, parent, level, path = stack.pop()
            values, subkeys = self._key(at, parent)
            self.key_count += 1
            self.value_count += len(values)
            if self.findings is None:
                self.keys.append(Key(path, values))
            if subkeys and level == _MAX_LEVELS:
                self._fault(at + 20, "key-depth", f"the key on level {level} has subkeys")
                self.whole = False
                continue
            pointer = at - 4 - _BASE_BLOCK
            self.path_room -= 8 * level * len(subkeys)
            if self.path_room < 0:
                self._stop(at, "read-limit", "with the paths of this key's subkeys, all paths outgrow the file")
            for head in reversed(subkeys):
                # Only read_hive needs paths; check_hive stays as small as the hive is deep and wide.
                below = (*path, head.name) if self.findings is None and head.name is not None else path
                stack.append((head.at, pointer, level + 1, below))

    def _key_head(self, pointer: int, field: int, what: str) -> _KeyHead | None:
        """Take a key's cell and return what its parent needs to know of it."""
        cell = self._cell(pointer, field, what)
        if cell is None:
            return None
        at, end = cell
        data, room = self.data, end - at
        if data[at : at + 2] != b"nk":
            self._fault(at, "key-signature", f"{what} begins with {data[at : at + 2]!r}")
            self.whole = False
            return None
        name_length, class_length = _TWO_U16.unpack_from(data, at + 72) if room >= _KEY.size else (0, 0)
        if room < _KEY.size + name_length:
            self._fault(at, "key-size", f"the cell holds {room:,} bytes")
            self.whole = False
            return None
        if room > _MAX_KEY_CELL:
            self._fault(at, "key-oversize", f"the cell holds {room:,} bytes")
        (flags,) = _U16.unpack_from(data, at + 2)
        compressed = bool(flags & _COMPRESSED)
        if not 1 <= (characters := name_length if compressed else name_length // 2) <= 255:
            self._fault(at + 72, "key-name-length", f"the key's name has {characters:,} characters")
        name = self._name("key", at + _KEY.size, name_length, compressed)
        if name is not None and "\\" in name:
            self._fault(at + _KEY.size, "key-name-backslash", f"the key's name is {name!a}")
        return _KeyHead(at, name, class_length)

    def _key(self, at: int, parent: int | None) -> tuple[tuple[Value, ...], list[_KeyHead]]:
        """Check a key, *parent* being None for the root; return its values and its subkeys."""
        (
            _,
            flags,
            _,
            _,
            parent_pointer,
            subkey_count,
            volatile_count,
            subkeys_pointer,
            volatile_pointer,
            value_count,
            values_pointer,
            security_pointer,
            class_pointer,
            max_name,
            max_class,
            max_value_name,
            max_value_data,
            _,
            _,
            class_length,
        ) = _KEY.unpack_from(self.data, at)
        if parent is None:
            if flags & _ROOT_MASK != _ROOT_FLAGS:
                self._fault(at + 2, "root-flags", f"the root key's flags are 0x{flags:x}")
        else:
            if flags & _HIVE_ENTRY:
                self._fault(at + 2, "key-hive-entry", f"the key's flags are 0x{flags:x}")
            if parent_pointer != parent:
                wrong = f"the key's parent is 0x{parent_pointer:x}"
                self._fault(at + 16, "key-parent", wrong, f"it must be 0x{parent:x}")
        if flags & _REFUSED_FLAGS:
            self._fault(at + 2, "key-flags", f"the key's flags are 0x{flags:x}")
        if volatile_count:
            self._fault(at + 24, "key-volatile-count", f"the key has {volatile_count:,} volatile subkeys")
        if volatile_pointer != _NIL:
            self._fault(at + 32, "key-volatile-list", f"the pointer is 0x{volatile_pointer:x}")
        self._class_name(at, class_pointer, class_length)
        self._security(security_pointer, at + 44)
        values = self._values(at, value_count, values_pointer, max_value_name, max_value_data)
        subkeys = self._subkeys(at, subkey_count, subkeys_pointer, max_name & 0xFFFF, max_class)
        if flags & _SYM_LINK and (
            (subkey_count, value_count) != (0, 1)
            or any((value.name, value.type) != ("SymbolicLinkValue", _REG_LINK) for value in values)
        ):
            names = ", ".join(ascii(value.name[:60]) for value in values[:3]) or "none"
            self._fault(
                at + 2, "key-symlink", f"a link has {subkey_count:,} subkeys and {value_count:,} values: {names}"
            )
        return values, subkeys

    def _name(self, kind: str, at: int, length: int, compressed: bool) -> str | None:
        """Return the name of a key or a value (*kind*), *length* bytes long, or None if it cannot be decoded."""
        raw = self.data[at : at + length]
        if compressed:
            return raw.decode("latin-1")
        try:
            return raw.decode("utf-16-le")
        except UnicodeDecodeError:
            self._fault(at, f"{kind}-name-encoding", f"the {kind}'s name is {raw[:16].hex()} in hexadecimal")
            return None

    def _class_name(self, at: int, pointer: int, length: int) -> None:
        if length == 0 and pointer == _NIL:
            return
        if length == 0:
            self._fault(at + 48, "key-class", f"the class name's pointer is 0x{pointer:x} and its length 0")
            self.whole = False
            return
        cell = self._cell(pointer, at + 48, "a class name")
        if cell is not None and (length % 2 or length > cell[1] - cell[0]):
            wrong = f"the class name has {length:,} bytes in a cell that holds {cell[1] - cell[0]:,}"
            self._fault(at + 74, "key-class", wrong)

    # Subkeys lists.

    def _subkeys(self, at: int, count: int, pointer: int, max_name: int, max_class: int) -> list[_KeyHead]:
        """Check the subkeys list of the key at *at* and return its subkeys in order."""
        if count == 0:
            if pointer != _NIL:
                self._fault(at + 28, "list-nil", f"the key has 0 subkeys and the list's pointer is 0x{pointer:x}")
                self.whole = False
            return []
        leaves = self._leaves(pointer, at + 28)
        total = sum(leaf_count for _, _, leaf_count in leaves)
        if self.whole and total != count:
            self._fault(at + 20, "subkey-count", f"the key counts {count:,} subkeys and its list {total:,}")
        subkeys: list[_KeyHead] = []
        longest = 0
        before: bytes | None = None
        for kind, start, leaf_count in leaves:
            width = _LIST_WIDTHS[kind]
            for entry in range(start, start + leaf_count * width, width):
                head = self._key_head(_U32.unpack_from(self.data, entry)[0], entry, "a subkey")
                if head is not None:
                    subkeys.append(head)
                if head is None or head.name is None:
                    before = None
                    continue
                order = _order(head.name)
                longest = max(longest, len(order))
                if before is not None and order <= before:
                    rule = "subkey-duplicate" if order == before else "subkey-order"
                    self._fault(entry, rule, f"subkey {head.name[:60]!a} does not sort after the one before it")
                before = order
                if kind != b"li":
                    self._leaf_mark(kind, entry + 4, head.name, order)
        self._largest("key-max-name", at + 52, max_name, longest)
        self._largest("key-max-class", at + 56, max_class, max((head.class_length for head in subkeys), default=0))
        return subkeys

    def _largest(self, rule: str, at: int, known: int, found: int) -> None:
        """Check one of the fields by which a key knows the largest of what is below it, in bytes."""
        if found > known:
            self._fault(at, rule, f"the largest found has {found:,} bytes and the largest known {known:,}")

    def _leaf_mark(self, kind: bytes, at: int, name: str, order: bytes) -> None:
        """Check what an `lh` or `lf` entry holds beside its pointer."""
        mark = self.data[at : at + 4]
        if kind == b"lh":
            right = _hash(order)
            if mark != _U32.pack(right):
                wrong = f"the hash of {name[:60]!a} is 0x{_U32.unpack(mark)[0]:08x}"
                self._fault(at, "subkey-hash", wrong, f"it must be 0x{right:08x}")
        elif not mark.startswith(_hint(name)):
            self._fault(at, "subkey-hint", f"the hint for {name[:60]!a} is {mark!r}", f"it must be {_hint(name)!r}")

    def _leaves(self, pointer: int, field: int) -> list[tuple[bytes, int, int]]:
        """Take the cells of a subkeys list; return each leaf's signature, where its entries start, their number."""
        found = self._list(pointer, field, "a subkeys list")
        if found is None or found[0] != b"ri":
            return [found] if found else []
        leaves = []
        _, start, count = found
        for entry in range(start, start + 4 * count, 4):
            leaf = self._list(_U32.unpack_from(self.data, entry)[0], entry, "a leaf of a subkeys list")
            if leaf is None:
                continue
            if leaf[0] == b"ri":
                self._fault(entry, "list-nested", "a leaf of an 'ri' list begins with 'ri'")
                self.whole = False
                continue
            leaves.append(leaf)
        return leaves

    def _list(self, pointer: int, field: int, what: str) -> tuple[bytes, int, int] | None:
        """Take the cell of one list record; return its signature, where its entries start, their number."""
        cell = self._cell(pointer, field, what)
        if cell is None:
            return None
        at, end = cell
        kind, count = _LIST.unpack_from(self.data, at)
        width = _LIST_WIDTHS.get(kind)
        if width is None:
            self._fault(at, "list-signature", f"{what} begins with {kind!r}")
        elif count * width > end - at - 4:
            self._fault(at + 2, "list-size", f"{what} counts {count:,} entries in a cell that holds {end - at:,} bytes")
        else:
            if count == 0:
                self._fault(at + 2, "list-empty", f"{what} has no entries")
            if kind == b"lh" and self.minor < 5:
                self._fault(at, "list-version", f"an 'lh' list is in a hive of minor version {self.minor}")
            return kind, at + 4, count
        self.whole = False
        return None

    # Values.

    def _values(self, at: int, count: int, pointer: int, max_name: int, max_data: int) -> tuple[Value, ...]:
        """Check the values of the key at *at* and return them in order."""
        if count == 0:
            if pointer != _NIL:
                self._fault(at + 40, "list-nil", f"the key has 0 values and the list's pointer is 0x{pointer:x}")
                self.whole = False
            return ()
        cell = self._cell(pointer, at + 40, "a values list")
        if cell is None:
            return ()
        start, end = cell
        if 4 * count > end - start:
            self._fault(at + 36, "list-size", f"{count:,} values are in a list whose cell holds {end - start:,} bytes")
            self.whole = False
            return ()
        values: list[Value] = []
        seen: set[bytes] = set()
        longest = 0
        for entry in range(start, start + 4 * count, 4):
            found = self._value(_U32.unpack_from(self.data, entry)[0], entry)
            if found is None:
                continue
            vk, value = found
            values.append(value)
            order = _order(value.name)
            longest = max(longest, len(order))
            if order in seen:
                self._fault(vk + 20, "value-duplicate", f"a second value is named {value.name[:60]!a}")
            seen.add(order)
        self._largest("key-max-value-name", at + 60, max_name, longest)
        self._largest("key-max-value-data", at + 64, max_data, max((len(v.data) for v in values), default=0))
        return tuple(values)

    def _value(self, pointer: int, field: int) -> tuple[int, Value] | None:
        """Take a value's cells; return where its record is and the value, or None if it cannot be told."""
        cell = self._cell(pointer, field, "a value")
        if cell is None:
            return None
        at, end = cell
        data, room = self.data, end - at
        if data[at : at + 2] != b"vk":
            self._fault(at, "value-signature", f"the value begins with {data[at : at + 2]!r}")
            self.whole = False
            return None
        length = _U16.unpack_from(data, at + 2)[0]
        if room < _VALUE.size + length:
            self._fault(at, "value-size", f"the cell holds {room:,} bytes")
            self.whole = False
            return None
        _, _, size, data_pointer, kind, flags, _ = _VALUE.unpack_from(data, at)
        if flags & ~1:
            self._fault(at + 16, "value-flags", f"the value's flags are 0x{flags:x}")
        if (characters := length if flags & 1 else length // 2) > 16383:
            self._fault(at + 2, "value-name-length", f"the value's name has {characters:,} characters")
        name = self._name("value", at + _VALUE.size, length, bool(flags & 1))
        content = self._value_data(at, size, data_pointer)
        if name is None or content is None:
            return None
        return at, Value(name, kind, content)

    def _value_data(self, at: int, size: int, pointer: int) -> bytes | None:
        """Return the data of the value at *at*, or None if it cannot be had."""
        if size & _INLINE:
            size &= ~_INLINE
            if size <= 4:
                return self.data[at + 8 : at + 8 + size]
            self._fault(at + 4, "value-inline", f"{size:,} bytes of data are inside the value record")
            self.whole = False
            return None
        if size == 0:
            if pointer != _NIL:
                self._fault(at + 8, "value-empty", f"the value has no data and its pointer is 0x{pointer:x}")
                self.whole = False
            return b""
        cell = self._cell(pointer, at + 8, "a value's data")
        if cell is None:
            return None
        start, end = cell
        if size > _SEGMENT and self.minor > 3:
            return self._big_data(start, end, size)
        if size > end - start:
            self._fault(at + 4, "value-data", f"{size:,} bytes of data are in a cell that holds {end - start:,}")
        return self.data[start : min(start + size, end)]

    def _big_data(self, at: int, end: int, size: int) -> bytes | None:
        """Return *size* bytes of data from the segments of the `db` record at *at*, or None if they cannot be had."""
        kind, count, pointer = _BIG.unpack_from(self.data, at) if end - at >= _BIG.size else (b"", 0, 0)
        segments = -(-size // _SEGMENT)
        if kind != b"db":
            self._fault(at, "big-signature", f"{size:,} bytes of data are in a cell that begins with {kind!r}")
        elif count != segments:
            self._fault(at + 2, "big-count", f"{count:,} segments are to hold {size:,} bytes")
        elif (cell := self._cell(pointer, at + 4, "a list of data segments")) is not None:
            start, end = cell
            if 4 * count <= end - start:
                return self._segments(range(start, start + 4 * count, 4), size)
            self._fault(at + 2, "list-size", f"{count:,} segments are in a list whose cell holds {end - start:,} bytes")
        self.whole = False
        return None

    def _segments(self, entries: range, size: int) -> bytes | None:
        parts: list[bytes] = []
        for entry in entries:
            cell = self._cell(_U32.unpack_from(self.data, entry)[0], entry, "a data segment")
            if cell is None:
                return None
            start, end = cell
            part = min(size, _SEGMENT)
            if part > end - start:
                self._fault(start, "big-segment", f"the segment's cell holds {end - start:,} bytes of {part:,}")
            parts.append(self.data[start : min(start + part, end)])
            size -= part
        return b"".join(parts)

    # Security.

    def _security(self, pointer: int, field: int) -> None:
        """Count one more key that uses a security record, and check the record when it is met first."""
        if pointer not in self.users:
            self.users[pointer] = 0
            self._security_record(pointer, field)
        self.users[pointer] += 1

    def _security_record(self, pointer: int, field: int) -> bool:
        """Take the cell of a security record and check its descriptor; return whether the record can be read."""
        cell = self._cell(pointer, field, "a security record")
        if cell is None:
            return False
        at, end = cell
        signature = self.data[at : at + 2]
        size = _U32.unpack_from(self.data, at + 16)[0] if end - at >= _SECURITY.size else 0
        if signature != b"sk":
            self._fault(at, "sk-signature", f"the security record begins with {signature!r}")
        elif end - at < _SECURITY.size + size:
            self._fault(at, "sk-size", f"a descriptor of {size:,} bytes is in a cell that holds {end - at:,}")
        else:
            descriptor.check(self.data, at + _SECURITY.size, size, self._fault)
            return True
        self.whole = False
        return False

    def _security_ring(self) -> None:
        """Walk the ring of security records and compare it with what keys use; needs a tree read in whole."""
        first = here = next(iter(self.users))
        ring = {first}
        while True:
            at = here + _BASE_BLOCK + 4
            forward = _SECURITY.unpack_from(self.data, at)[2]
            if forward not in self.users:
                if not self._security_record(forward, at + 4):
                    return
                self.users[forward] = 0
                self._fault(forward + _BASE_BLOCK, "sk-orphan", "no key uses this security record")
            backward = _SECURITY.unpack_from(self.data, forward + _BASE_BLOCK + 4)[3]
            if backward != here:
                wrong = f"the record behind 0x{here:x} points back to 0x{backward:x}"
                self._fault(forward + _BASE_BLOCK + 12, "sk-ring", wrong)
            if forward in ring:
                break
            ring.add(forward)
            here = forward
        for pointer, users in self.users.items():
            at = pointer + _BASE_BLOCK + 4
            if pointer not in ring:
                self._fault(at, "sk-ring", "keys use a security record outside the ring")
            references = _SECURITY.unpack_from(self.data, at)[4]
            if users and references != users:
                wrong = f"the record counts {references:,} references and {users:,} keys use it"
                self._fault(at + 12, "sk-count", wrong)
