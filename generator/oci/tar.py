# SPDX-License-Identifier: Apache-2.0
"""Write a layer's files as a tar, reproducible byte for byte with every Python.

The tar is POSIX ustar (IEEE Std 1003.1, pax, "ustar Interchange Format"). Python's own tarfile is not
used: it ends directory names in a slash, which Windows' import code does not recognise, pads the
archive, and may change between versions.
"""

import struct
from collections.abc import Iterable, Iterator

from ..base.errors import GeneratorError

BLOCK = 512  # bytes
MAX_NAME = 100  # bytes of a ustar header's name field
MAX_PREFIX = 155  # bytes of its prefix field

_DIRECTORY, _FILE = b"5", b"0"
# Name, mode, owner, group, size, modification time; the checksum, blanks while it is computed; type, link's name, magic
# and version, names of owner and group, device major and minor, prefix.
_HEADER = struct.Struct("100s8s8s8s12s12s8sc100x8s64x8s8s155s12x")


def split_name(path: str) -> tuple[str, str] | None:
    """Return the ustar prefix and name for *path*, or None if it is too long."""
    if len(path) <= MAX_NAME:
        return "", path
    # The longest name that fits leaves the shortest prefix.
    slash = path.find("/", len(path) - MAX_NAME - 1)
    if slash <= 0 or slash > MAX_PREFIX or slash == len(path) - 1:
        return None
    return path[:slash], path[slash + 1 :]


def write_tar(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the tar of *files* in order, each directory once and before its content."""
    out = bytearray()
    made: set[str] = set()
    for path, data in files:
        parents = path.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            directory = "/".join(parents[:depth])
            if directory not in made:
                made.add(directory)
                out += _header(directory, _DIRECTORY, 0o755, 0)
        out += _header(path, _FILE, 0o644, len(data)) + data + bytes(-len(data) % BLOCK)
    return bytes(out + bytes(2 * BLOCK))


def _header(path: str, kind: bytes, mode: int, size: int) -> bytes:
    names = split_name(path)
    if names is None:
        raise GeneratorError(f"{path}: too long for a tar header; hint: shorten it")
    prefix, name = names
    zero = b"0000000"  # numbers are octal and end in NUL
    fields = (name.encode("ascii"), b"%07o" % mode, zero, zero, b"%011o" % size, b"%011o" % 0, b" " * 8, kind)
    header = bytearray(_HEADER.pack(*fields, b"ustar\x0000", zero, zero, prefix.encode("ascii")))
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def walk_tar(tar: bytes, shown: str) -> Iterator[tuple[str, int, int]]:
    """Yield path, offset and size in bytes of each regular file in a tar that write_tar made."""
    offset = 0
    while offset + BLOCK <= len(tar) and tar[offset]:
        header = tar[offset : offset + BLOCK]
        name, prefix = (header[a:b].rstrip(b"\0").decode("ascii", "replace") for a, b in ((0, 100), (345, 500)))
        digits = header[124:135]
        if set(digits) - set(b"01234567"):
            raise GeneratorError(f"{shown}: no ustar header at byte {offset} of the tar")
        size = int(digits, 8)
        offset += BLOCK
        if offset + size > len(tar):
            raise GeneratorError(f"{shown}: the file at byte {offset} of the tar ends beyond it")
        if header[156:157] == _FILE:
            yield f"{prefix}/{name}" if prefix else name, offset, size
        offset += size + -size % BLOCK
