# SPDX-License-Identifier: Apache-2.0
"""A key and what is below it as the text of a .reg file, byte for byte as hivexregedit --export writes it.

Keys and values are in the order of their names' characters; a REG_DWORD is a number, every other value its type and
bytes in hexadecimal; lines end in a line feed. A path and a name are in Latin-1 if they can be, or else in UTF-8, which
is how Perl prints text to a file that has no encoding. Where data is in segments and the last has 4 bytes or fewer,
hivex 1.3.23 leaves those out; here they stand. Source: the manual of hivexregedit, libguestfs/hivex.
"""

from collections.abc import Iterator, Sequence

from ..hives.model import REG_DWORD, Key, fold_name

HEAD = b"Windows Registry Editor Version 5.00\n\n"


def export(hive: Sequence[Key], path: tuple[str, ...]) -> Iterator[bytes] | None:
    """Yield the file's parts for the key at *path* of a *hive*; return None where there is no such key."""
    wanted = tuple(map(fold_name, path))
    below = [key for key in hive if tuple(map(fold_name, key.path[: len(wanted)])) == wanted]
    return _parts(below) if below else None


def _parts(keys: Sequence[Key]) -> Iterator[bytes]:
    yield HEAD
    for key in sorted(keys, key=lambda key: key.path):
        yield b"[" + _printed("\\" + "\\".join(key.path)) + b"]\n"
        for value in sorted(key.values, key=lambda value: value.name):
            name = _printed(value.name.replace("\\", "\\\\").replace('"', '\\"'))
            yield b'"' + name + b'"=' if name else b"@="
            if value.type == REG_DWORD and len(value.data) == 4:
                yield b"dword:%08x\n" % int.from_bytes(value.data, "little")
            else:
                yield f"hex({value.type:x}):{value.data.hex(',')}\n".encode("ascii")
        yield b"\n"


def _printed(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
