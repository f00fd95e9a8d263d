# SPDX-License-Identifier: Apache-2.0
"""Make an image of a folder, for HostProcess containers, as an OCI layout: python image.py FOLDER LAYOUT.

Standard library only, beside the vendored windows_hostprocess.py and windows_files.py. The image names no
program to start: that is up to the pod.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import windows_files
import windows_hostprocess

PLATFORM = {"architecture": "amd64", "os": "windows"}


def write(path: Path, value: dict[str, Any]) -> None:
    """Write *value* as JSON, in the form that docs/layer-format.md asks for."""
    path.write_text(json.dumps(value, separators=(",", ":")))


def add(file: Path, media_type: str, **more: object) -> dict[str, Any]:
    """Make *file* a blob, whose name is its digest, and return what points to it."""
    with file.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    file = file.rename(file.with_name(digest))
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": file.stat().st_size, **more}


def write_image(folder: Path, layout: Path) -> None:
    """Write the image of *folder* into *layout*, which is new, tagged latest."""
    new = layout / "blobs/sha256/new"
    new.parent.mkdir(parents=True)
    new.write_bytes(windows_hostprocess.blob())
    base = add(new, windows_hostprocess.MEDIA_TYPE)
    with new.open("wb") as out, windows_files.Writer(out) as layer:
        layer.add_tree("", folder)
    top = add(new, "application/vnd.oci.image.layer.v1.tar")
    rootfs = {"type": "layers", "diff_ids": [windows_hostprocess.DIFF_ID, top["digest"]]}
    write(new, {**PLATFORM, "config": {}, "rootfs": rootfs})
    config = add(new, "application/vnd.oci.image.config.v1+json")
    media_type = "application/vnd.oci.image.manifest.v1+json"
    write(new, {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [base, top]})
    manifest = add(new, media_type, annotations={"org.opencontainers.image.ref.name": "latest"}, platform=PLATFORM)
    media_type = "application/vnd.oci.image.index.v1+json"
    write(layout / "oci-layout", {"imageLayoutVersion": "1.0.0"})
    write(layout / "index.json", {"schemaVersion": 2, "mediaType": media_type, "manifests": [manifest]})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python image.py FOLDER LAYOUT")
    try:
        write_image(Path(sys.argv[1]), Path(sys.argv[2]))
    except (OSError, windows_files.FilesError) as error:
        sys.exit(str(error))
