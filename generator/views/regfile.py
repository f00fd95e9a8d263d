# SPDX-License-Identifier: Apache-2.0
"""Export a key and its subkeys as .reg text, byte for byte like hivexregedit --export.

Keys and values are sorted by code points; a REG_DWORD is a number, any other value its type and its bytes in
hexadecimal; lines end in a line feed. A path or name is encoded in Latin-1 if possible, else in UTF-8, as Perl prints
text to a file without an encoding. One difference: hivex 1.3.23 drops the last segment of segmented data if it has 4
bytes or fewer; it is kept here. Source: the manual of hivexregedit, libguestfs/hivex.
"""

from collections.abc import Iterator, Sequence

from ..hives.model import REG_DWORD, Key, fold_name

HEAD = b"Windows Registry Editor Version 5.00\n\n"


def export(hive: Sequence[Key], path: tuple[str, ...], prefix: str = "") -> Iterator[bytes] | None:
    """Return an iterator of the text's parts for the key at *path* of a *hive*, None if the key is missing.

    *prefix* comes before the path of each key, such as ``HKEY_LOCAL_MACHINE\\SOFTWARE``, which regedit needs.
    """
    wanted = tuple(map(fold_name, path))
    below = [key for key in hive if tuple(map(fold_name, key.path[: len(wanted)])) == wanted]
    return _parts(below, prefix.removesuffix("\\")) if below else None


def _parts(keys: Sequence[Key], prefix: str) -> Iterator[bytes]:
    yield HEAD
    for key in sorted(keys, key=lambda key: key.path):
        yield b"[" + _printed(prefix + "\\" + "\\".join(key.path)) + b"]\n"
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
