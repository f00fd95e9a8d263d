# SPDX-License-Identifier: Apache-2.0
"""Build layers for tests, and read them with other programs."""

import gzip
import hashlib
import io
import random
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generator.image.layers import Progress, make_layers
from generator.image.model import GZIP, LayerBlob, LayerOptions, Source

MIB = 1 << 20


def make(
    work: Path,
    *sources: Path | tuple[Path, str] | Source,
    said: list[str] | None = None,
    cache: bool = True,
    progress: Progress | None = None,
    **options: Any,
) -> list[LayerBlob]:
    """Return the layers of *sources*, built in a new folder *work*, after checking their digests and sizes.

    The cache, if any, is a folder beside *work*.
    """
    work.mkdir(parents=True)
    given = [Source(source) if isinstance(source, Path) else Source(*source) for source in sources]
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


def tar_of(blob: LayerBlob) -> bytes:
    """Return the tar in a blob, by Python's own gzip."""
    data = blob.path.read_bytes()
    return gzip.decompress(data) if blob.media_type == GZIP else data


def members(blob: LayerBlob) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(tar_of(blob)), errorlevel=2) as archive:
        return archive.getmembers()


def names(blob: LayerBlob) -> list[str]:
    """Return the names below Files, in order."""
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


def cached_folder(tmp_path: Path) -> Path:
    """Make a folder of a few members, whose files are old enough for a record in the cache, and return it."""
    made = fill(tmp_path / "in", [f"small/{number}" for number in range(50)])
    (made / "big").write_bytes(random.Random(8).randbytes(MIB) + b"x" * (2 * MIB + 5))  # noqa: S311
    time.sleep(0.15)
    return made


def stored(tmp_path: Path, kind: str = "") -> list[Path]:
    """Return the files of the cache beside layers made by make(): members, records or all."""
    return sorted(path for path in (tmp_path / "cache/winscratch/layers").iterdir() if path.name.startswith(kind))
