# SPDX-License-Identifier: Apache-2.0
"""What a user names, opened: a layer, an image of layers, or a registry hive by itself.

Nothing here looks into a hive; tree.py does. What is damaged is opened up to the damage, which is told beside it.
"""

import hashlib
import io
import mmap
import os
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .. import manifest
from ..errors import GeneratorError
from ..hives import structures as s
from ..oci.untar import Entry, TarError, Untar

Buffer = bytes | mmap.mmap

MAX_UNPACKED: Final = 16 << 30  # bytes; the largest layer of Windows has a third of it
_IN_MEMORY: Final = 64 << 20  # bytes; what is larger lies in a temporary file
_CHUNK: Final = 1 << 18
_GZIP: Final = b"\x1f\x8b"
_REGF, _HBIN = s.BASE_BLOCK.signatures[0], s.BIN.signatures[0]


@dataclass(frozen=True, slots=True)
class Damage:
    """Where something could not be read on: *part* is gzip, tar, layout or image, *offset* in bytes of that."""

    part: str
    offset: int
    message: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.part}: damaged at byte {self.offset:,}: {self.message}"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: its *name* as the user gave it, its tar, and what is known of the file that it came in.

    *compressed* is the size of the gzip in bytes, None for a bare tar; *digest* and *diff_id* are those of the file
    and the tar, as ``sha256:`` and hexadecimal, and *diff_id* is empty where the tar is not whole.
    """

    name: str
    tar: Buffer
    compressed: int | None
    digest: str
    diff_id: str
    entries: tuple[Entry, ...]
    damage: tuple[Damage, ...]

    def content(self, entry: Entry) -> bytes:
        """Return what a file of the layer holds."""
        return self.tar[entry.offset : entry.offset + entry.size]


@dataclass(frozen=True, slots=True)
class HiveFile:
    """A registry hive that is a file by itself."""

    name: str
    data: Buffer


@dataclass(frozen=True, slots=True)
class Image:
    """An image: its platform as ``os/architecture`` with what else is said, its configuration, its layers in order."""

    name: str
    digest: str
    platform: str
    config: Mapping[str, Any]
    layers: tuple[Layer, ...]
    damage: tuple[Damage, ...]


Opened = Layer | HiveFile | Image


def open_all(root: Path, what: Sequence[str]) -> list[Opened]:
    """Return all that *what* names, or without it the layers that are committed below *root*.

    Raises GeneratorError for what is none of a layer, an image and a hive, or cannot be read.
    """
    return [opened for each in (what or manifest.layers(root)) for opened in open_one(root, each)]


def open_one(root: Path, what: str) -> list[Opened]:
    """Return what *what* names: one layer or hive, or each image of a layout or archive."""
    if what in manifest.layers(root):
        return [open_data(what, _mapped(Path(root, manifest.blob_path(what)), what))]
    return [open_data(what, _mapped(Path(what), what))]


def open_data(name: str, data: Buffer) -> Layer | HiveFile:
    """Return the layer or hive that *data* is."""
    if is_hive(data):
        return HiveFile(name, data)
    damage: list[Damage] = []
    compressed, tar = None, data
    if data[:2] == _GZIP:
        compressed = len(data)
        tar = _unpacked(name, data, damage)
    entries: list[Entry] = []
    try:
        entries.extend(entry for entry in Untar(_stream(tar)) if entry.kind != "g")
    except TarError as error:
        if not (entries or damage):
            raise GeneratorError(f"{name}: neither a layer, an image nor a registry hive") from error
        damage.append(Damage("tar", error.offset, str(error)))
    whole = not any(each.part == "gzip" for each in damage)
    diff_id = _sha256(tar) if whole else ""
    digest = diff_id if compressed is None else _sha256(data)
    return Layer(name, tar, compressed, digest, diff_id, tuple(entries), tuple(damage))


def is_hive(data: bytes | mmap.mmap) -> bool:
    """Tell whether *data* is a registry hive, whose base block or first bin may be damaged but not both."""
    return data[:4] == _REGF or data[s.BASE : s.BASE + 4] == _HBIN


def _mapped(path: Path, shown: str) -> Buffer:
    """Return the content of the file at *path*."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size > _CHUNK else file.read()
    except (OSError, ValueError) as error:
        raise GeneratorError(f"{shown}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _unpacked(name: str, data: Buffer, damage: list[Damage]) -> Buffer:
    """Return what the gzip *data* holds, up to its *damage*: one member or several, as RFC 1952 has it."""
    out = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - what is mapped of it outlives it
    at, size = 0, 0
    unpacker = zlib.decompressobj(wbits=31)
    try:
        while at < len(data):
            chunk = data[at : at + _CHUNK]
            part = unpacker.decompress(unpacker.unconsumed_tail + chunk, _CHUNK << 5)
            size += len(part)
            out.write(part)
            if size > MAX_UNPACKED:
                raise GeneratorError(f"{name}: unpacks to more than {MAX_UNPACKED:,} bytes, which no layer does")
            at += len(chunk)
            if unpacker.eof:
                at -= len(unpacker.unused_data)
                unpacker = zlib.decompressobj(wbits=31)
        if not unpacker.eof and at:
            pass
    except zlib.error as error:
        damage.append(Damage("gzip", at, str(error)))
    out.seek(0)
    return out.read()


def _stream(data: Buffer) -> io.BytesIO:
    return io.BytesIO(data[:])


def _sha256(data: Buffer) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
