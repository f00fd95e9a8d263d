# SPDX-License-Identifier: Apache-2.0
"""Layers of sources."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from ..console import Say
from .model import GZIP, Blob, LayerOptions, Source


def make_layers(
    sources: Sequence[Source], options: LayerOptions, work: Path, *, one_layer: bool, note: Say
) -> list[Blob]:
    """Stand in."""
    found = []
    for number, source in enumerate(sources):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name in ("Hives", "Files"):
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            for path in [source.path] if source.path.is_file() else sorted(source.path.rglob("*")):
                entry = tarfile.TarInfo(f"Files/{path.name}")
                entry.size = path.stat().st_size
                if path.is_file():
                    with path.open("rb") as data:
                        tar.addfile(entry, data)
        packed = gzip.compress(out.getvalue(), mtime=0)
        path = work / f"layer-{number}"
        path.write_bytes(packed)
        digests = ["sha256:" + hashlib.sha256(each).hexdigest() for each in (packed, out.getvalue())]
        found.append(Blob(path, digests[0], digests[1], len(packed), GZIP))
    return found
