# SPDX-License-Identifier: Apache-2.0
"""Build a Windows image from nothing and write it as an OCI layout: python oci_layout.py FOLDER.

Standard library only, beside the vendored windows_scratch.py. The image contains one file and no
entry point, because this base has no Windows to run programs.
"""

import gzip
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import windows_scratch


def digest(data: bytes) -> str:
    """Return the digest of *data* as OCI writes it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    """Return what points to *data* in a manifest or an index."""
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def application(text: bytes) -> bytes:
    """Return the tar of a layer on top: Files with hello.txt, and an empty Hives."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in ("Files", "Hives"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        file = tarfile.TarInfo("Files/hello.txt")
        file.size = len(text)
        tar.addfile(file, io.BytesIO(text))
    return buffer.getvalue()


def image() -> tuple[dict[str, Any], bytes, list[bytes]]:
    """Return the manifest, the configuration and the blobs of the layers, lowest first."""
    top = application(b"hello\r\n")
    layers = [windows_scratch.blob(), gzip.compress(top, mtime=0)]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "windows",
            "rootfs": {"type": "layers", "diff_ids": [windows_scratch.DIFF_ID, digest(top)]},
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor(windows_scratch.MEDIA_TYPE, layer) for layer in layers],
    }
    return manifest, config, layers


def write_layout(folder: Path) -> None:
    """Write the image into *folder*, tagged latest."""
    manifest, config, layers = image()
    written = json.dumps(manifest).encode()
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    for data in (written, config, *layers):
        (blobs / digest(data).removeprefix("sha256:")).write_bytes(data)
    entry = descriptor(manifest["mediaType"], written)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))


if __name__ == "__main__":
    write_layout(Path(sys.argv[1]))
