# SPDX-License-Identifier: Apache-2.0
"""Write an image to one file: an archive of an OCI layout, or the archive of ``docker save``."""

import contextlib
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..base.errors import GeneratorError
from ..imageread.bounded import BombError, HashingReader, most_unpacked
from ..imageread.images import unpack
from ..imageread.references import reference as parse_reference
from . import layout
from .assemble import BuiltImage, blob_path

_PIECE = 1 << 20  # bytes to copy at a time


def check(path: Path, *, force: bool) -> None:
    """Raise GeneratorError if *path* is not a regular file, or exists and *force* is false."""
    if path.exists() and not path.is_file():
        raise GeneratorError(f"{path}: not a regular file; hint: name another")
    if path.exists() and not force:
        raise GeneratorError(f"{path}: exists already; hint: replace it with --force, or name another")


def write_oci(path: Path, image: BuiltImage, reference: str, work: Path, *, force: bool) -> None:
    """Write *image* to *path* as an archive of a layout with one image; raises GeneratorError and OSError."""
    index = layout.indexed(layout.empty_index(), image, reference)
    listed = layout.docker_listed([], image, reference)
    with _archive(path, work, force=force) as tar:
        _add(tar, layout.LAYOUT_FILE, layout.LAYOUT)
        _add(tar, layout.INDEX_FILE, layout.encode(index))
        _add(tar, layout.DOCKER_FILE, layout.encode(listed))
        for folder in ("blobs", "blobs/sha256"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for document in image.documents:
            _add(tar, blob_path(document.digest), document.data)
        for digest, blob in image.blobs.items():
            if blob.foreign:
                continue
            with blob.path.open("rb") as data:
                _copy(tar, blob_path(digest), data)


def write_docker(path: Path, image: BuiltImage, reference: str, work: Path, *, force: bool) -> None:
    """Write *image*, for one platform, to *path* as ``docker save`` does; raises GeneratorError and OSError.

    Such an archive holds uncompressed layers: github.com/moby/moby image/tarexport.
    """
    variant = image.variants[0]
    config = f"{variant.config.digest.partition(':')[2]}.json"
    layers = {blob.diff_id: f"{blob.diff_id.partition(':')[2]}.tar" for blob in variant.layers}
    tags = [parse_reference(reference, str(path)).tagged] if reference else None
    listed = [{"Config": config, "RepoTags": tags, "Layers": [layers[blob.diff_id] for blob in variant.layers]}]
    with _archive(path, work, force=force) as tar:
        _add(tar, layout.DOCKER_FILE, layout.encode(listed))
        _add(tar, config, variant.config.data)
        for blob in {blob.diff_id: blob for blob in variant.layers}.values():
            with blob.path.open("rb") as file:
                data = HashingReader(unpack(file)[1], blob.diff_id.partition(":")[0])
                data.most = most_unpacked(blob.size)
                try:
                    _copy(tar, layers[blob.diff_id], data)
                except (BombError, EOFError, zlib.error) as error:
                    raise GeneratorError(f"{path}: layer {blob.digest} cannot be unpacked: {error}") from error
            if data.digest != blob.diff_id:
                raise GeneratorError(f"{path}: layer {blob.digest} unpacks to {data.digest}, not to {blob.diff_id}")


@contextlib.contextmanager
def _archive(path: Path, work: Path, *, force: bool) -> Iterator[tarfile.TarFile]:
    """Yield an archive that is renamed to *path* when complete."""
    made = work / "archive"
    with tarfile.open(made, "w", format=tarfile.GNU_FORMAT) as tar:
        yield tar
    path = Path(os.path.realpath(path))  # keep a symlink; replace its target
    check(path, force=force)
    if force:
        made.replace(path)
        return
    try:
        if os.name == "nt":
            made.rename(path)  # replaces nothing on Windows
        else:
            path.hardlink_to(made)
    except FileExistsError:
        check(path, force=force)
        raise
    except OSError:  # a file system without hard links
        made.replace(path)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _copy(tar: tarfile.TarFile, name: str, data: io.RawIOBase | IO[bytes]) -> None:
    """Add all of *data*, of unknown size, to *tar*: the header is rewritten when the size is known."""
    out: IO[bytes] = tar.fileobj  # type: ignore[assignment]  # set while the archive is open
    entry = tarfile.TarInfo(name)
    start = out.tell()
    out.write(entry.tobuf(tarfile.GNU_FORMAT))
    shutil.copyfileobj(data, out, _PIECE)
    end = out.tell()
    entry.size = end - start - tarfile.BLOCKSIZE
    out.seek(start)
    out.write(entry.tobuf(tarfile.GNU_FORMAT))
    out.seek(end)
    out.write(bytes(-entry.size % tarfile.BLOCKSIZE))
    tar.offset = out.tell()
