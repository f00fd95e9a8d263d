# SPDX-License-Identifier: Apache-2.0
"""OCI layouts for tests, written by hand, so that anything in one can be wrong."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .committed_modules import OUTPUT

OCI = "application/vnd.oci.image."
RECORDS = {
    "MSWINDOWS.rawsd": "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA==",  # O:BUG:BU
    "atime": "0",
    "ctime": "0",
}
BCD = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"
CONFIG = "Files/Windows/System32/config"


class Part(NamedTuple):
    """An entry of a tar, as it is to stand there."""

    name: str
    data: bytes = b""
    kind: bytes = tarfile.REGTYPE
    target: str = ""
    records: dict[str, str] = RECORDS
    time: int = 0


def directory(name: str, **records: str) -> Part:
    return Part(name, b"", tarfile.DIRTYPE, "", records)


ROOTS = (directory("Hives"), directory("Files"))


def base(name: str = "scratch") -> bytes:
    """Return a base layer's tar."""
    return gzip.decompress((OUTPUT / f"layers/{name}.tar.gz").read_bytes())


def parts_of(tar: bytes) -> list[Part]:
    """Return the entries of a base layer's tar, to be changed."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return [
            Part(each.name, (archive.extractfile(each) or io.BytesIO()).read(), each.type, "", {}) for each in archive
        ]


class _Info(tarfile.TarInfo):
    """A header whose name is as it was given, where tarfile puts a slash at the end of a directory's."""

    def get_info(self) -> Mapping[str, str | int | bytes | Mapping[str, str]]:
        return {**super().get_info(), "name": self.name}


def tarred(parts: Iterable[Part]) -> bytes:
    """Return a tar of *parts*, each as it stands there: nothing is added, cleaned or sorted."""
    out = io.BytesIO()
    for part in parts:
        info = _Info(part.name)
        info.type, info.size, info.mtime, info.linkname = part.kind, len(part.data), part.time, part.target
        info.pax_headers = dict(part.records)
        out.write(info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape"))
        out.write(part.data + bytes(-len(part.data) % 512))
    return out.getvalue() + bytes(1024)


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layout:
    """A layout with one image; what was made stays in *config*, *manifest* and *index* until write()."""

    def __init__(self, folder: Path, layers: Sequence[bytes], *, zipped: bool = True) -> None:
        self.folder = folder
        self.blobs = [gzip.compress(layer, 6, mtime=0) if zipped else layer for layer in layers]
        kind = f"{OCI}layer.v1.tar{'+gzip' if zipped else ''}"
        self.config: dict[str, Any] = {
            "architecture": "amd64",
            "os": "windows",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
        }
        self.manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}manifest.v1+json",
            "layers": [self.point(blob, kind) for blob in self.blobs],
        }
        self.index: dict[str, Any] = {"schemaVersion": 2, "mediaType": f"{OCI}index.v1+json"}
        self.platform: dict[str, str] | None = {"architecture": "amd64", "os": "windows"}
        self.version: str | None = "1.0.0"
        self.kinds = {"config": f"{OCI}config.v1+json", "manifest": f"{OCI}manifest.v1+json"}

    @staticmethod
    def point(data: bytes, kind: str) -> dict[str, Any]:
        return {"mediaType": kind, "digest": sha256(data), "size": len(data)}

    def blob(self, data: bytes) -> Path:
        """Write a blob, and return its path."""
        path = self.folder / "blobs/sha256" / sha256(data).removeprefix("sha256:")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def write(self) -> str:
        """Write all of it; return what `check-image` calls it."""
        config = json.dumps(self.config).encode()
        self.manifest.setdefault("config", self.point(config, self.kinds["config"]))
        manifest = json.dumps(self.manifest).encode()
        entry = self.point(manifest, self.kinds["manifest"])
        if self.platform:
            entry["platform"] = self.platform
        self.index.setdefault("manifests", [entry | {"annotations": {f"{REF}": "latest"}}])
        for data in (config, manifest, *self.blobs):
            self.blob(data)
        (self.folder / "index.json").write_text(json.dumps(self.index))
        if self.version:
            (self.folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": self.version}))
        return f"oci:{self.folder}"


REF = "org.opencontainers.image.ref.name"
