# SPDX-License-Identifier: Apache-2.0
"""Bytes opened: a layer, an image of layers, or a registry hive by itself; naming.py finds them by what users say.

Nothing here looks into a hive; tree.py does. What is damaged is opened up to the damage, which is told beside it.
"""

import mmap
import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from sys import getsizeof
from typing import IO, Final

from ..base.errors import GeneratorError
from ..base.reading import NO_WAIT
from ..hives import structures as s
from ..hives.cells import Buffer
from ..imageread import images
from ..imageread.documents import Config, Platform
from ..imageread.untar import GLOBAL, Entry, TarError, Untar
from ..oci.blob import sha256
from ..oci.tar import BLOCK

MAX_UNPACKED: Final = 16 << 30  # bytes; the largest layer of Windows has a third of it
MAX_KEPT: Final = 512 << 20  # bytes of memory for the entries of all layers; Windows' need a third of it
_IN_MEMORY: Final = 64 << 20  # bytes; what is larger lies in a temporary file
_CHUNK: Final = 1 << 16
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_REGF, _HBIN = s.BASE_BLOCK.signatures[0], s.BIN.signatures[0]


class Budget:
    """What may still be opened, in bytes of tars and hives, and the layers that were, so that none is read twice.

    *why* ends the sentence that says of a name that it has more than *most* bytes. Where layers are shown as often as
    they come, *repeats*, each time counts.
    """

    def __init__(self, most: int, why: str, *, repeats: bool = False) -> None:
        self.most, self.why, self.repeats = most, why, repeats
        self.left = most
        self.kept = MAX_KEPT  # bytes of memory for entries
        self.layers: dict[str, Layer] = {}

    def copy(self) -> "Budget":
        """Return one that is spent as far, for what may turn out to be another thing."""
        return copy(self)

    def check(self, name: str, size: int) -> None:
        """Raise GeneratorError, naming *name*, where *size* bytes are too many."""
        if size > self.left:
            raise GeneratorError(f"{name}: more than {self.most:,} bytes {self.why}")

    def spend(self, name: str, size: int) -> None:
        """Take *size* bytes; raise GeneratorError, naming *name*, where they are too many."""
        self.check(name, size)
        self.left -= size

    def keep(self, entry: Entry) -> bool:
        """Take the memory that an entry of a layer needs; tell whether there was as much."""
        texts = (entry.name, entry.target, *entry.records, *entry.records.values())
        self.kept -= sum(map(getsizeof, (entry, entry.records, *texts)))
        return self.kept >= 0


def everything() -> Budget:
    """Return the budget of a command that shows whatever there is."""
    return Budget(MAX_UNPACKED, "in all, unpacked, which no image has")


@dataclass(frozen=True, slots=True)
class Damage:
    """Where something could not be read on: *part* is gzip, tar, layer or image, *offset* in its bytes, if known."""

    part: str
    offset: int | None
    message: str

    def __str__(self) -> str:
        """Say it in one line."""
        where = "" if self.offset is None else f" at byte {self.offset:,}"
        return f"the {self.part} is damaged{where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: its *name* as the user gave it, its tar, and what is known of the file that it came in.

    *compressed* is the size of that file in bytes where it is a gzip or zstd file, None where it is a bare tar.
    *digest* and *diff_id* are those of the file and the tar, as ``sha256:`` and hexadecimal; *diff_id* is empty where
    the tar is not whole.
    """

    name: str
    tar: Buffer
    compressed: int | None
    digest: str
    diff_id: str
    entries: tuple[Entry, ...]
    damage: tuple[Damage, ...]

    def content(self, entry: Entry) -> bytes:
        """Return what a file of the layer holds, as far as it is there."""
        return self.tar[entry.offset : entry.offset + entry.size]


@dataclass(frozen=True, slots=True)
class HiveFile:
    """A registry hive that is a file by itself."""

    name: str
    data: Buffer


@dataclass(frozen=True, slots=True)
class Image:
    """An image of one platform: what it is called, its manifest's digest if it has one, its settings, its layers.

    *documents* are its manifest and its configuration as they are stored, as far as they can be read.
    """

    name: str
    digest: str
    platform: Platform | None
    config: Config | None
    layers: tuple[Layer, ...]
    damage: tuple[Damage, ...]
    documents: tuple[bytes, bytes]


Opened = Layer | HiveFile | Image


class _Tar:
    """A tar in memory as the stream that its reader asks for."""

    def __init__(self, data: Buffer) -> None:
        self._data, self._at = data, 0

    def read(self, size: int, /) -> bytes:
        part = self._data[self._at : self._at + size]
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int, /) -> int:
        self._at = offset + (self._at if whence else 0)
        return self._at

    def seekable(self) -> bool:
        return True


def is_hive(data: Buffer) -> bool:
    """Tell whether *data* is a registry hive, whose base block or first bin may be damaged but not both."""
    return data[:4] == _REGF or data[s.BASE : s.BASE + 4] == _HBIN


def open_file(path: Path, shown: str, budget: Budget) -> Buffer:
    """Return the content of the regular file at *path*; raise GeneratorError, naming it *shown*.

    It is a copy, since the file may be cut short while it is looked at, for which the system ends who has mapped it.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | NO_WAIT), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise GeneratorError(f"{shown}: not a regular file; name one")
            return _read_all(file, shown, budget)
    except (OSError, ValueError) as error:  # of a name with a NUL, a ValueError
        raise GeneratorError(f"{shown}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def open_data(name: str, data: Buffer, budget: Budget) -> Layer | HiveFile:
    """Return the layer or hive that *data* is; raise GeneratorError where it is neither."""
    if is_hive(data):
        budget.spend(name, len(data))
        return HiveFile(name, data)
    layer = _layer(name, data, budget)
    parts = {each.part for each in layer.damage}
    if not layer.entries and "tar" in parts and not ("gzip" in parts and len(layer.tar)):
        if layer.compressed is not None and is_hive(layer.tar):
            raise GeneratorError(f"{name}: a hive that is compressed; give it as it is: gzip -dc {name}")
        raise GeneratorError(
            f"{name}: neither a layer, which is a tar, bare or compressed by gzip or zstd, nor a registry hive"
        )
    return layer


def open_image(name: str, budget: Budget) -> Iterator[Image]:
    """Yield the images that *name* stands for in the form of containers-transports(5), such as ``oci:DIR:REF``."""
    faults: list[Damage] = []

    def fault(where: str, rule: str, found: str) -> None:
        faults.append(Damage("image", None, f"{where.removeprefix(name).strip(': ') or name}: {found} ({rule})"))

    with images.images(name, fault) as found:
        if not found:
            raise GeneratorError(f"{name}: {faults[0].message if faults else 'no image is in it'}")
        for image in found:
            layers = tuple(_image_layer(each, fault, budget) for each in image.layers)
            digest = image.descriptor.digest if image.descriptor else ""
            yield Image(image.name, digest, image.platform, image.config, layers, tuple(faults), image.raw)
            faults.clear()


def _image_layer(described: images.Layer, fault: images.Fault, budget: Budget) -> Layer:
    """Return a layer of an image; what is not as the image says it is becomes damage."""
    same = described.descriptor.digest if described.descriptor else ""
    if same and (known := budget.layers.get(same)) and described.diff_id in {known.diff_id, ""}:
        if budget.repeats:
            budget.spend(described.name, len(known.tar))
        return known
    layer = _read_layer(described, fault, budget)
    if same and layer.digest == same and described.diff_id in {layer.diff_id, ""}:
        budget.layers[same] = layer
    return layer


def _read_layer(described: images.Layer, fault: images.Fault, budget: Budget) -> Layer:
    try:
        with described.open() as blob:
            layer = _layer(described.name, _read_all(blob, described.name, budget), budget)
    except (OSError, ValueError) as error:
        fault(described.name, "blob", f"cannot be read: {getattr(error, 'strerror', None) or error}")
        return Layer(described.name, b"", None, "", "", (), (Damage("layer", None, "it cannot be read"),))
    wrong: list[Damage] = []
    if described.descriptor and described.descriptor.digest not in {layer.digest, ""}:
        wrong.append(Damage("layer", None, f"its digest is {layer.digest}, not as the manifest says"))
    if described.diff_id and layer.diff_id and described.diff_id != layer.diff_id:
        wrong.append(Damage("layer", None, f"its diff ID is not {described.diff_id}, as the configuration says"))
    return replace(layer, damage=(*layer.damage, *wrong))


def _layer(name: str, data: Buffer, budget: Budget) -> Layer:
    """Return the layer that *data* is, compressed or not."""
    damage: list[Damage] = []
    compressed = len(data) if data[:2] == _GZIP or data[:4] == _ZSTD else None
    tar = data if compressed is None else _unpacked(name, data, damage, budget)
    budget.spend(name, len(tar))
    whole = not damage
    entries: list[Entry] = []
    try:
        for entry in Untar(_Tar(tar)):
            if not budget.keep(entry):
                raise TarError(entry.offset - BLOCK, f"its entries need more than {MAX_KEPT:,} bytes of memory")
            if entry.kind != GLOBAL:
                entries.append(entry)
        if not (entries or len(tar)):
            raise TarError(0, "it is empty")
    except TarError as error:
        damage.append(Damage("tar", error.offset, str(error)))
    diff_id = sha256(tar) if whole else ""
    digest = diff_id if compressed is None else sha256(data)
    return Layer(name, tar, compressed, digest, diff_id, tuple(entries), tuple(damage))


def _unpacked(name: str, data: Buffer, damage: list[Damage], budget: Budget) -> Buffer:
    """Return what the compressed *data* holds, up to its *damage*."""
    try:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as out:
            for part in _zstd(name, data, damage) if data[:4] == _ZSTD else _gunzip(data, damage):
                budget.check(name, out.tell() + len(part))
                out.write(part)
            size = out.tell()
            out.seek(0)
            return _whole(out, size)
    except OSError as error:
        raise GeneratorError(f"{name}: cannot be unpacked to a temporary file: {error.strerror}") from error


def _gunzip(data: Buffer, damage: list[Damage]) -> Iterator[bytes]:
    """Yield what a gzip file of one member or several holds (RFC 1952), up to the byte that is damaged."""
    at, unpacker, step, begun = 0, zlib.decompressobj(wbits=31), _CHUNK, True
    while at < len(data):
        before, chunk = unpacker.copy(), data[at : at + step]
        try:
            part = unpacker.decompress(chunk)
        except zlib.error as error:
            if step == 1:
                damage.append(Damage("gzip", at, str(error)))
                return
            unpacker, step = before, 1  # nothing of this chunk was had: take it byte by byte
            continue
        at += len(chunk)
        yield part
        if unpacker.eof:
            at -= len(unpacker.unused_data)
            if not any(data[at : at + _CHUNK]) and at < len(data):
                return  # zeros behind the last member, as tapes have them
            unpacker, begun = zlib.decompressobj(wbits=31), False
        else:
            begun = True
    if begun:
        damage.append(Damage("gzip", at, "it ends too early"))


def _zstd(name: str, data: Buffer, damage: list[Damage]) -> Iterator[bytes]:
    """Yield what a zstd file holds; raise GeneratorError where this Python cannot read it."""
    import io

    stream = images.unpack(io.BufferedReader(io.BytesIO(data[:])), name)[1]
    try:
        while part := stream.read(_CHUNK):
            yield part
    except (OSError, EOFError, ValueError) as error:
        damage.append(Damage("layer", None, str(error)))


def _read_all(blob: IO[bytes], name: str, budget: Budget) -> Buffer:
    """Return a copy of *blob*, whose bytes are not spent yet."""
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as out:
        while part := blob.read(_CHUNK):
            budget.check(name, out.tell() + len(part))
            out.write(part)
        size = out.tell()
        out.seek(0)
        return _whole(out, size)


def _whole(file: IO[bytes], size: int) -> Buffer:
    """Return the *size* bytes of *file*, which is ours, mapped into memory if they are many."""
    if size > _IN_MEMORY:
        try:
            return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            pass  # not every file system can
    return file.read(size)
