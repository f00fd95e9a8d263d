# SPDX-License-Identifier: Apache-2.0
"""Open layers, images and registry hives; unpack layers into a temporary file.

A damaged layer is unpacked up to the damage, which is recorded beside it. Blobs are streamed by imageread, within its
limits. resolve.py finds files and images by name; hives are parsed by the views.
"""

import contextlib
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from sys import getsizeof
from typing import Final

from ..base.errors import GeneratorError, counted
from ..base.file_kinds import GZIP, HIVE, LOG, TAR, ZSTD, file_kind
from ..base.reading import open_regular, unreadable
from ..hives import structures as s
from ..imageread import images
from ..imageread.bounded import BombError, HashingReader, most_unpacked
from ..imageread.documents import Config, ImagePlatform
from ..imageread.gunzip import GzipReader
from ..imageread.untar import FILE, GLOBAL, TarEntry, TarError, TarReader
from ..oci.tar import BLOCK
from .spool import CHUNK, Spool, Stored, StoredReader

MAX_UNPACKED: Final = 16 << 30  # bytes; three times the largest layer of Windows
MAX_KEPT: Final = 512 << 20  # bytes of memory for the entries of all layers; three times those of Windows
MAX_HIVE: Final = 1 << 28  # bytes of a hive, which is read into memory; three times a full Windows' SOFTWARE
_HEAD: Final = s.BASE + 4  # bytes needed to recognize a hive
_REGF, _HBIN = s.BASE_BLOCK.signatures[0], s.BIN.signatures[0]


class Budget:
    """Limits of one command: bytes of tars and hives, memory for entries; and its unpacked layers, each read once.

    An error message says that a name has more than *most* bytes, by default MAX_UNPACKED, followed by *why*. With
    *repeats*, a layer counts each time it occurs. If *choose* is set, it selects among the Windows images of a name,
    before their layers are read.
    """

    choose: Callable[[str, list[images.Image]], list[images.Image]] | None = None
    plain: Sequence[str] | None = None  # registries that may lack TLS, None if the command has no option for them

    def __init__(self, most: int | None = None, why: str = "in all, unpacked", *, repeats: bool = False) -> None:
        self.most, self.why, self.repeats = MAX_UNPACKED if most is None else most, why, repeats
        self.left = self.most
        self.kept = MAX_KEPT  # bytes of memory for entries
        self.layers: dict[str, UnpackedLayer] = {}
        self.spool = Spool()

    def check(self, name: str, size: int) -> None:
        """Raise GeneratorError, which names *name*, if *size* bytes are too many."""
        if size > self.left:
            raise GeneratorError(f"{name}: more than {self.most:,} bytes {self.why}")

    def spend(self, name: str, size: int) -> None:
        """Subtract *size* bytes; raise GeneratorError, which names *name*, if they are too many."""
        self.check(name, size)
        self.left -= size

    def keep(self, entry: TarEntry) -> bool:
        """Subtract the memory of an entry; return whether there was enough."""
        texts = (entry.name, entry.target, *entry.records, *entry.records.values())
        self.kept -= sum(map(getsizeof, (entry, entry.records, *texts)))
        return self.kept >= 0


@dataclass(frozen=True, slots=True)
class Damage:
    """Damage that ends reading: *part* is gzip, tar, layer or image, *offset* counts its bytes, None if unknown."""

    part: str
    offset: int | None
    message: str

    def __str__(self) -> str:
        where = "" if self.offset is None else f" at byte {self.offset:,}"
        return f"the {self.part} is damaged{where}: {self.message}"


@dataclass(frozen=True, slots=True)
class UnpackedLayer:
    """An unpacked layer: its *name* as the user gave it, its tar, its entries and its damage.

    *compressed* is the size of the blob in bytes, None for a bare tar. *digest* and *diff_id* are those of blob and
    tar, as ``sha256:`` and hexadecimal; *diff_id* is empty if the tar is incomplete.
    """

    name: str
    tar: Stored
    compressed: int | None
    digest: str
    diff_id: str
    entries: tuple[TarEntry, ...]
    damage: tuple[Damage, ...]

    def content(self, entry: TarEntry) -> Stored:
        """Return the content of a file in the layer, up to the damage."""
        return self.tar.part(entry.offset, entry.size if entry.kind == FILE else 0)

    def is_hive(self, entry: TarEntry) -> bool:
        """Return whether an entry is a hive of at most MAX_HIVE bytes."""
        return entry.kind == FILE and entry.size <= MAX_HIVE and is_hive(self.content(entry))


@dataclass(frozen=True, slots=True)
class HiveFile:
    """A registry hive that is a file of its own."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class UnpackedImage:
    """An image of one platform: name, digest of its manifest (may be empty), settings, layers and damage.

    *documents* are the bytes of its manifest and configuration, empty if unreadable.
    """

    name: str
    digest: str
    platform: ImagePlatform | None
    config: Config | None
    layers: tuple[UnpackedLayer, ...]
    damage: tuple[Damage, ...]
    documents: tuple[bytes, bytes]


Viewable = UnpackedLayer | HiveFile | UnpackedImage


def is_hive(data: bytes | Stored) -> bool:
    """Return whether *data* is a registry hive; its base block or its first bin may be damaged, but not both."""
    return data[:4] == _REGF or data[s.BASE : s.BASE + 4] == _HBIN


def open_named(path: Path, shown: str) -> io.BufferedReader:
    """Open the regular file at *path*; raise GeneratorError, which names it *shown*."""
    try:
        return io.BufferedReader(io.FileIO(open_regular(path)), 2 * _HEAD)
    except (OSError, ValueError) as error:  # ValueError: the name has a NUL
        raise unreadable(shown, error) from error


def open_data(name: str, file: io.BufferedReader, budget: Budget) -> UnpackedLayer | HiveFile:
    """Return the layer or hive in *file*; raise GeneratorError if it is neither or unreadable."""
    try:
        head = file.peek(_HEAD)[:_HEAD]
        kind = file_kind(head)
        hint = kind.hive_hint.format(name) if kind else ""
        if is_hive(head) and kind is not LOG:
            data = file.read(min(MAX_HIVE, budget.left) + 1)
            budget.spend(name, len(data))
            if len(data) > MAX_HIVE:
                raise GeneratorError(f"{name}: a hive larger than {MAX_HIVE:,} bytes")
            return HiveFile(name, data)
        if kind not in {HIVE, TAR, GZIP, ZSTD, None}:
            raise GeneratorError(f"{name}: neither a layer nor a hive: {kind.name}; hint: {hint}")
        layer = _layer(name, file, budget)
    except OSError as error:
        raise GeneratorError(f"{name}: cannot be read: {error.strerror}") from error
    parts = {each.part for each in layer.damage}
    if not layer.entries and "tar" in parts and not ("gzip" in parts and len(layer.tar)):
        if layer.compressed is not None and is_hive(layer.tar):
            raise GeneratorError(f"{name}: a compressed hive; hint: {hint}")
        raise GeneratorError(
            f"{name}: neither a layer (a tar, optionally compressed with gzip or zstd) nor a registry hive"
        )
    return layer


def names(file: io.BufferedReader) -> Iterator[str]:
    """Yield the names of the entries in an uncompressed tar, up to its damage; nothing for any other *file*."""
    if not is_hive(file.peek(_HEAD)[:_HEAD]):
        with contextlib.suppress(TarError):
            yield from (entry.name for entry in TarReader(file))


def open_image(name: str, budget: Budget) -> Iterator[UnpackedImage]:
    """Yield the images that *name* refers to, in the form of containers-transports(5), such as ``oci:DIR:REF``."""
    faults: list[Damage] = []

    def fault(where: str, rule: str, found: str) -> None:
        faults.append(Damage("image", None, f"{where.removeprefix(name).strip(': ') or name}: {found} ({rule})"))

    with images.images(name, fault, (lambda *_: None) if budget.choose else None, budget.plain) as found:
        if not found:
            nothing = f"contains no image{' for Windows' if budget.choose else ''}"
            raise GeneratorError(f"{name}: {faults[0].message if faults else nothing}")
        for image in budget.choose(name, found) if budget.choose else found:
            layers = tuple(_image_layer(each, fault, budget) for each in image.layers)
            digest = image.descriptor.digest if image.descriptor else ""
            yield UnpackedImage(image.name, digest, image.platform, image.config, layers, tuple(faults), image.raw)
            faults.clear()


def _image_layer(described: images.Layer, fault: images.Fault, budget: Budget) -> UnpackedLayer:
    """Return a layer of an image; a digest that differs from the image's documents is damage."""
    same = described.descriptor.digest if described.descriptor else ""
    if same and (known := budget.layers.get(same)) and not _differs(known, described):
        if budget.repeats:
            budget.spend(described.name, len(known.tar))
        return known
    layer = _read_layer(described, fault, budget)
    if same and not _differs(layer, described):
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
    wrong = tuple(Damage("layer", None, each) for each in _differs(layer, described))
    return replace(layer, damage=(*layer.damage, *wrong))


def _differs(layer: UnpackedLayer, described: images.Layer) -> list[str]:
    """Return how a *layer* differs from its digest, size and diff ID in the documents of its image."""
    found = []
    if pointer := described.descriptor:
        size = len(layer.tar) if layer.compressed is None else layer.compressed
        if pointer.digest not in {layer.digest, ""}:
            found.append(f"its digest is {layer.digest}, not that in the manifest")
        elif pointer.size != size:
            found.append(f"it has {counted(size, 'byte')}, not {pointer.size:,} as in the manifest")
    if described.diff_id and layer.diff_id and described.diff_id != layer.diff_id:
        found.append(f"its diff ID is not {described.diff_id}, which the configuration has")
    return found


def _layer(name: str, blob: io.BufferedReader, budget: Budget) -> UnpackedLayer:
    """Return the layer in *blob*, compressed or not; raise OSError if the blob is unreadable."""
    damage: list[Damage] = []
    size = blob.seek(0, io.SEEK_END)
    blob.seek(0)
    budget.check(name, size)
    raw = HashingReader(blob)
    try:
        compression, stream = images.unpack(io.BufferedReader(raw, CHUNK), careful=True)
        if not compression:
            blob.seek(0)  # read without *raw*: its digest is that of the tar
        reader = HashingReader(stream if compression else blob)
        reader.most = most_unpacked(size) if compression else reader.most
        tar, diff_id = _unpacked(name, reader, damage, budget)
        while raw.read(CHUNK):  # past the damage, for the digest
            pass
    except BombError as error:
        raise GeneratorError(f"{name}: {size:,} bytes unpack to more than {most_unpacked(size):,}") from error
    entries = _entries(tar, damage, budget)
    digest = raw.digest if compression else diff_id
    return UnpackedLayer(name, tar, size if compression else None, digest, diff_id, entries, tuple(damage))


def _unpacked(name: str, tar: HashingReader, damage: list[Damage], budget: Budget) -> tuple[Stored, str]:
    """Return the bytes of *tar*, up to its damage, and their digest, which is empty if there is *damage*."""
    start = budget.spool.size
    try:
        while part := tar.read(CHUNK):
            budget.check(name, tar.size)
            budget.spool.write(part)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the blob is unreadable
            raise
        message = "it ends too early" if isinstance(error, EOFError) else str(error)
        gzip = tar.stream if isinstance(tar.stream, GzipReader) else None
        damage.append(Damage("gzip", gzip.offset, message) if gzip else Damage("layer", None, message))
    size = budget.spool.size - start
    budget.spend(name, size)
    return Stored(budget.spool, start, size), "" if damage else tar.digest


def _entries(tar: Stored, damage: list[Damage], budget: Budget) -> tuple[TarEntry, ...]:
    """Return the entries of a *tar*, up to the damage, which is appended to *damage*."""
    entries: list[TarEntry] = []
    try:
        for entry in TarReader(StoredReader(tar)):
            if not budget.keep(entry):
                raise TarError(entry.offset - BLOCK, f"its entries need more than {MAX_KEPT:,} bytes of memory")
            if entry.kind != GLOBAL:
                entries.append(entry)
            if entry.kind == FILE and entry.size > MAX_HIVE and is_hive(tar.part(entry.offset, _HEAD)):
                message = f"{entry.name} is a hive of {entry.size:,} bytes; the limit is {MAX_HIVE:,}"
                damage.append(Damage("layer", None, message))
        if not (entries or len(tar)):
            raise TarError(0, "it is empty")
    except TarError as error:
        damage.append(Damage("tar", error.offset, str(error)))
    return tuple(entries)
