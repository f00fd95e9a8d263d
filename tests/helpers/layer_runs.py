# SPDX-License-Identifier: Apache-2.0
"""What the tests of layers share: making them, and reading them with what is not ours."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generator.image.layers import Progress, make_layers
from generator.image.model import GZIP, Blob, LayerOptions, Source


def make(
    work: Path,
    *sources: Path | tuple[Path, str],
    said: list[str] | None = None,
    cache: bool = True,
    progress: Progress | None = None,
    **options: Any,
) -> list[Blob]:
    """Return the layers of *sources*, made in a new folder *work* and found to be what they say of themselves.

    The cache is a folder beside *work*, or there is none.
    """
    work.mkdir(parents=True)
    given = [Source(*source) if isinstance(source, tuple) else Source(source) for source in sources]
    notes: list[str] = [] if said is None else said
    environment = {"XDG_CACHE_HOME": str(work.parent / "cache")} if cache else {"WINSCRATCH_CACHE_MIB": "0"}
    blobs = make_layers(
        given,
        LayerOptions(**options),
        work,
        note=notes.append,
        progress=progress,
        environment=environment,
    )
    for blob in blobs:
        data = blob.path.read_bytes()
        assert blob.size == len(data)
        assert blob.digest == sha256(data)
        assert blob.diff_id == sha256(tar_of(blob))
        assert (blob.media_type == GZIP) == (options.get("compression") != "none")
    return blobs


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar_of(blob: Blob) -> bytes:
    """Return the tar in a blob, by Python's own gzip."""
    data = blob.path.read_bytes()
    return gzip.decompress(data) if blob.media_type == GZIP else data


def members(blob: Blob) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(tar_of(blob)), errorlevel=2) as archive:
        return archive.getmembers()


def names(blob: Blob) -> list[str]:
    """Return what is below Files, in order."""
    assert [member.name for member in members(blob)[:2]] == ["Hives", "Files"]
    return [member.name.removeprefix("Files/") for member in members(blob)[2:]]


def fill(folder: Path, paths: Sequence[str]) -> Path:
    """Make files that hold their own paths, and folders where a path ends in a slash."""
    for path in paths:
        target = folder / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path, "utf-8")
    return folder
