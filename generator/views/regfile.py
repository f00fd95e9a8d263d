# SPDX-License-Identifier: Apache-2.0
"""Export a key and its subkeys as .reg text, byte for byte like hivexregedit --export, or for regedit.

Keys and values are sorted by code points; a REG_DWORD is a number, any other value its type and its bytes in
hexadecimal; lines end in a line feed. A path or name is encoded in Latin-1 if possible, else in UTF-8, as Perl prints
text to a file without an encoding. One difference: hivex 1.3.23 drops the last segment of segmented data if it has 4
bytes or fewer; it is kept here. Source: the manual of hivexregedit, libguestfs/hivex.

For regedit, the same text has a prefix before each key, and is encoded as regedit exports it: UTF-16 with a byte order
mark, and lines that end in CR LF. Other encodings are read in the code page of the machine.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ..base.errors import GeneratorError, shorten
from ..hives.model import REG_DWORD, Key, fold_name

HEAD = b"Windows Registry Editor Version 5.00\n\n"
_ROOTS: Final = "HKEY_LOCAL_MACHINE, HKEY_USERS, HKEY_CURRENT_USER, HKEY_CLASSES_ROOT, HKEY_CURRENT_CONFIG"
_LINE_ENDS: Final = re.compile(r"[\r\n\0]")


def export(hive: Sequence[Key], path: tuple[str, ...]) -> Iterator[bytes] | None:
    """Return an iterator of the text's parts for the key at *path* of a *hive*, None if the key is missing."""
    below = _below(hive, path)
    return map(_printed, _lines(below, "")) if below else None


def for_regedit(hive: Sequence[Key], path: tuple[str, ...], prefix: str, lost: list[str]) -> Iterator[bytes] | None:
    """Return an iterator of the text that regedit imports at the key *prefix*, None if the key at *path* is missing.

    A key is left out and added to *lost*, with all below it, if its name or one of a value has a line end or a NUL:
    regedit would read another key there. Raise GeneratorError for a prefix that is not a key of the registry.
    """
    prefix = prefix.rstrip("\\")
    if prefix.partition("\\")[0].upper() not in _ROOTS.split(", ") or _LINE_ENDS.search(prefix):
        raise GeneratorError(f"--prefix {shorten(prefix)}: not a key of the registry; hint: a key in one of {_ROOTS}")
    below = _below(hive, path)
    bad = {key.path for key in below if any(map(_LINE_ENDS.search, (*key.path[-1:], *(v.name for v in key.values))))}
    good = [key for key in below if not any(key.path[:length] in bad for length in range(len(key.path) + 1))]
    lost += sorted("\\" + "\\".join(path) for path in bad)
    parts = (part.replace("\n", "\r\n").encode("utf-16-le", "surrogatepass") for part in _lines(good, prefix))
    return parts if below else None


def _below(hive: Sequence[Key], path: tuple[str, ...]) -> list[Key]:
    wanted = tuple(map(fold_name, path))
    return [key for key in hive if tuple(map(fold_name, key.path[: len(wanted)])) == wanted]


def _lines(keys: Sequence[Key], prefix: str) -> Iterator[str]:
    yield "\ufeff" * bool(prefix) + HEAD.decode("ascii")
    for key in sorted(keys, key=lambda key: key.path):
        yield "[" + ("\\".join((prefix, *key.path)) if key.path else prefix or "\\") + "]\n"
        for value in sorted(key.values, key=lambda value: value.name):
            name = value.name.replace("\\", "\\\\").replace('"', '\\"')
            shown = f'"{name}"=' if name else "@="
            if value.type == REG_DWORD and len(value.data) == 4:
                yield f"{shown}dword:{int.from_bytes(value.data, 'little'):08x}\n"
            else:
                yield f"{shown}hex({value.type:x}):{value.data.hex(',')}\n"
        yield "\n"


def _printed(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
