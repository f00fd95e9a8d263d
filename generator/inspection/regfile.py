# SPDX-License-Identifier: Apache-2.0
"""A key and what is below it as the text of a .reg file, byte for byte as hivexregedit --export writes it.

That is UTF-8 with line feeds. Keys and values are in the order of their names' bytes; a REG_DWORD is a number, every
other value its type and bytes in hexadecimal. Source: the manual of hivexregedit, libguestfs/hivex.
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
    for path, key in sorted(((tuple(map(_bytes, key.path)), key) for key in keys), key=lambda pair: pair[0]):
        yield b"[\\" + b"\\".join(path) + b"]\n"
        for name, value in sorted(((_bytes(value.name), value) for value in key.values), key=lambda pair: pair[0]):
            yield b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"=' if name else b"@="
            if value.type == REG_DWORD and len(value.data) == 4:
                yield b"dword:%08x\n" % int.from_bytes(value.data, "little")
            else:
                yield f"hex({value.type:x}):{value.data.hex(',')}\n".encode("ascii")
        yield b"\n"


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")
