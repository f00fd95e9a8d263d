# SPDX-License-Identifier: Apache-2.0
"""A registry hive's content as plain records, as a specification requests it and as a reader returns it.

A hive is a tuple of keys: the root, whose path is empty, is first, and each parent comes before its children. The
records are flat, not nested, because 512 levels would exhaust Python's stack.
"""

from dataclasses import dataclass

# Value types, numbered as in winnt.h.
REG_NONE = 0
REG_SZ = 1
REG_EXPAND_SZ = 2
REG_BINARY = 3
REG_DWORD = 4
REG_DWORD_BIG_ENDIAN = 5
REG_LINK = 6
REG_MULTI_SZ = 7
REG_QWORD = 11

# Limits of this project, stricter than Windows' own.
MAX_SUBKEYS = 500  # hivex writes one leaf a key, where Windows splits lists that outgrow a page
MAX_DATA = 16_344  # bytes; longer data needs big-data records, which hivex does not write


@dataclass(frozen=True, slots=True)
class Value:
    """One registry value; *name* is empty for a key's default value, *data* is as stored in the hive."""

    name: str
    type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Key:
    """One registry key; *path* holds the key names from below the root down, and is empty for the root."""

    path: tuple[str, ...]
    values: tuple[Value, ...] = ()


Hive = tuple[Key, ...]

EMPTY_HIVE: Hive = (Key(()),)


def fold_name(name: str) -> str:
    """Return *name* as Windows compares it: upper case, one UTF-16 unit for one.

    A letter whose capital belongs to another letter (the micro sign, the dotless i) stays, as in Windows' table.
    Exact for Latin-1 and nearly so for other letters: each version of Windows and of Unicode adds pairs of letters.
    """
    return name.upper() if name.isascii() else "".join(map(_capital, name))


def _capital(char: str) -> str:
    capital = char.upper()
    belongs = len(capital) == 1 and char <= "\uffff" and (capital.lower() == char or char == "\u03c2")
    return capital if belongs else char
