# SPDX-License-Identifier: Apache-2.0
"""Bytes opened: a layer, an image of layers, or a registry hive by itself; naming.py finds them by what users say.

Nothing here looks into a hive; tree.py does. What is damaged is opened up to the damage, which is told beside it. Blobs
are read as streams by the reader of images, within its limits; what they unpack to lies in a temporary file.
"""

import io
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from sys import getsizeof
from typing import Final

from ..base.errors import GeneratorError
from ..base.reading import NO_WAIT
from ..hives import structures as s
from ..imageread import images
from ..imageread.bounded import BombError, Hashed, most_unpacked
from ..imageread.documents import Config, Platform
from ..imageread.gunzip import Gunzip
from ..imageread.untar import FILE, GLOBAL, Entry, Stream, TarError, Untar
from ..oci.tar import BLOCK
from .spool import CHUNK, ByteStream, Spool, Stored

MAX_UNPACKED: Final = 16 << 30  # bytes; the largest layer of Windows has a third of it
MAX_KEPT: Final = 512 << 20  # bytes of memory for the entries of all layers; Windows' need a third of it
MAX_HIVE: Final = 1 << 28  # bytes; a hive is read into memory, and SOFTWARE of a whole Windows is a third of it
_HEAD: Final = s.BASE + 4  # bytes that tell a hive
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
        self.layers: dict[str, UnpackedLayer] = {}
        self.spool = Spool()

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
class UnpackedLayer:
    """A layer: its *name* as the user gave it, its tar, and what is known of the file that it came in.

    *compressed* is the size of that file in bytes where it is a gzip or zstd file, None where it is a bare tar.
    *digest* and *diff_id* are those of the file and the tar, as ``sha256:`` and hexadecimal; *diff_id* is empty where
    the tar is not whole.
    """

    name: str
    tar: Stored
    compressed: int | None
    digest: str
    diff_id: str
    entries: tuple[Entry, ...]
    damage: tuple[Damage, ...]

    def content(self, entry: Entry) -> Stored:
        """Return what a file of the layer holds, as far as it is there."""
        return self.tar.part(entry.offset, entry.size if entry.kind == FILE else 0)

    def is_hive(self, entry: Entry) -> bool:
        """Return whether an entry is a hive that is not too large to be read."""
        return entry.kind == FILE and entry.size <= MAX_HIVE and is_hive(self.content(entry))


@dataclass(frozen=True, slots=True)
class HiveFile:
    """A registry hive that is a file by itself."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class UnpackedImage:
    """An image of one platform: what it is called, its manifest's digest if it has one, its settings, its layers.

    *documents* are its manifest and its configuration as they are stored, as far as they can be read.
    """

    name: str
    digest: str
    platform: Platform | None
    config: Config | None
    layers: tuple[UnpackedLayer, ...]
    damage: tuple[Damage, ...]
    documents: tuple[bytes, bytes]


Viewable = UnpackedLayer | HiveFile | UnpackedImage


def is_hive(data: bytes | Stored) -> bool:
    """Tell whether *data* is a registry hive, whose base block or first bin may be damaged but not both."""
    return data[:4] == _REGF or data[s.BASE : s.BASE + 4] == _HBIN


def regular(path: Path, shown: str) -> io.BufferedReader:
    """Open the regular file at *path*; raise GeneratorError, naming it *shown*."""
    try:
        file: io.BufferedReader = io.BufferedReader(io.FileIO(os.open(path, os.O_RDONLY | NO_WAIT)), 2 * _HEAD)
    except (OSError, ValueError) as error:  # of a name with a NUL, a ValueError
        raise GeneratorError(f"{shown}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise GeneratorError(f"{shown}: not a regular file; name one")


def open_file(path: Path, shown: str, budget: Budget) -> UnpackedLayer | HiveFile:
    """Return the layer or hive in the regular file at *path*; raise GeneratorError, naming it *shown*."""
    with regular(path, shown) as file:
        return open_data(shown, file, budget)


def open_data(name: str, file: io.BufferedReader, budget: Budget) -> UnpackedLayer | HiveFile:
    """Return the layer or hive in *file*; raise GeneratorError if it is neither, or cannot be read."""
    try:
        if is_hive(file.peek(_HEAD)[:_HEAD]):
            data = file.read(min(MAX_HIVE, budget.left) + 1)
            budget.spend(name, len(data))
            if len(data) > MAX_HIVE:
                raise GeneratorError(f"{name}: a hive of more than {MAX_HIVE:,} bytes, which are read at most")
            return HiveFile(name, data)
        layer = _layer(name, file, budget)
    except OSError as error:
        raise GeneratorError(f"{name}: cannot be read: {error.strerror}") from error
    parts = {each.part for each in layer.damage}
    if not layer.entries and "tar" in parts and not ("gzip" in parts and len(layer.tar)):
        if layer.compressed is not None and is_hive(layer.tar):
            raise GeneratorError(f"{name}: a hive that is compressed; give it as it is: gzip -dc {name}")
        raise GeneratorError(
            f"{name}: neither a layer, which is a tar, bare or compressed by gzip or zstd, nor a registry hive"
        )
    return layer


def names(file: io.BufferedReader) -> Iterator[str]:
    """Yield the names in the tar that *file* is, if it is one and not compressed, up to its damage."""
    if is_hive(file.peek(_HEAD)[:_HEAD]):
        return
    try:
        for entry in Untar(file):
            yield entry.name
    except TarError:
        return


def open_image(name: str, budget: Budget) -> Iterator[UnpackedImage]:
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
            yield UnpackedImage(image.name, digest, image.platform, image.config, layers, tuple(faults), image.raw)
            faults.clear()


def _image_layer(described: images.Layer, fault: images.Fault, budget: Budget) -> UnpackedLayer:
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


def _read_layer(described: images.Layer, fault: images.Fault, budget: Budget) -> UnpackedLayer:
    try:
        with described.open() as blob:
            layer = _layer(described.name, blob, budget)
    except (OSError, ValueError) as error:
        fault(described.name, "blob", f"cannot be read: {getattr(error, 'strerror', None) or error}")
        nothing = Stored(budget.spool, 0, 0)
        return UnpackedLayer(described.name, nothing, None, "", "", (), (Damage("layer", None, "it cannot be read"),))
    wrong: list[Damage] = []
    if described.descriptor and described.descriptor.digest not in {layer.digest, ""}:
        wrong.append(Damage("layer", None, f"its digest is {layer.digest}, not as the manifest says"))
    if described.diff_id and layer.diff_id and described.diff_id != layer.diff_id:
        wrong.append(Damage("layer", None, f"its diff ID is not {described.diff_id}, as the configuration says"))
    return replace(layer, damage=(*layer.damage, *wrong))


def _layer(name: str, blob: io.BufferedReader, budget: Budget) -> UnpackedLayer:
    """Return the layer in *blob*, compressed or not; raise OSError if that cannot be read."""
    damage: list[Damage] = []
    size = blob.seek(0, io.SEEK_END)
    blob.seek(0)
    budget.check(name, size)
    raw = Hashed(blob)
    try:
        compression, stream = _stream(name, io.BufferedReader(raw, CHUNK), damage)
        if not compression:
            blob.seek(0)
            stream = blob  # its digest is that of the tar
        tar, diff_id = _unpacked(name, stream, damage, budget, most_unpacked(size) if compression else None)
        while raw.read(CHUNK):  # behind the damage
            pass
    except BombError as error:
        raise GeneratorError(
            f"{name}: {size:,} bytes unpack to more than {most_unpacked(size):,}, which no layer needs"
        ) from error
    entries = _entries(tar, damage, budget)
    digest = raw.digest if compression else diff_id
    return UnpackedLayer(name, tar, size if compression else None, digest, diff_id, entries, tuple(damage))


def _stream(name: str, blob: io.BufferedReader, damage: list[Damage]) -> tuple[str, Stream]:
    """Return how *blob* is compressed, and the tar in it as a stream, which is empty if the first header is damaged."""
    try:
        return images.unpack(blob, name, careful=True)
    except OSError as error:
        if error.errno is not None:  # the blob cannot be read
            raise
        damage.append(Damage("gzip", 0, str(error)))
        return "gzip", io.BytesIO()


def _unpacked(name: str, stream: Stream, damage: list[Damage], budget: Budget, most: int | None) -> tuple[Stored, str]:
    """Return what *stream* holds, up to its *damage*, and its digest if there is none.

    Raise BombError if it holds more than *most* bytes, which is None for a bare tar.
    """
    start, tar = budget.spool.size, Hashed(stream)
    tar.most = tar.most if most is None else most
    whole = False
    try:
        while part := tar.read(CHUNK):
            budget.check(name, tar.size)
            budget.spool.write(part)
        whole = not damage
    except EOFError:
        damage.append(_damaged(stream, "it ends too early"))
    except (zlib.error, ValueError) as error:
        damage.append(_damaged(stream, str(error)))
    except OSError as error:
        if error.errno is not None:  # the blob cannot be read
            raise
        damage.append(_damaged(stream, str(error)))
    size = budget.spool.size - start
    budget.spend(name, size)
    return Stored(budget.spool, start, size), tar.digest if whole else ""


def _damaged(stream: Stream, message: str) -> Damage:
    return Damage("gzip", stream.offset, message) if isinstance(stream, Gunzip) else Damage("layer", None, message)


def _entries(tar: Stored, damage: list[Damage], budget: Budget) -> tuple[Entry, ...]:
    """Return the entries of a *tar*, up to its *damage*."""
    entries: list[Entry] = []
    try:
        for entry in Untar(ByteStream(tar)):
            if not budget.keep(entry):
                raise TarError(entry.offset - BLOCK, f"its entries need more than {MAX_KEPT:,} bytes of memory")
            if entry.kind != GLOBAL:
                entries.append(entry)
            if entry.kind == FILE and entry.size > MAX_HIVE and is_hive(tar.part(entry.offset, _HEAD)):
                message = f"{entry.name} is a hive of {entry.size:,} bytes, of which {MAX_HIVE:,} can be read"
                damage.append(Damage("layer", None, message))
        if not (entries or len(tar)):
            raise TarError(0, "it is empty")
    except TarError as error:
        damage.append(Damage("tar", error.offset, str(error)))
    return tuple(entries)
