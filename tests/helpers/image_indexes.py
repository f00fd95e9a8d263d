# SPDX-License-Identifier: Apache-2.0
"""Indexes, artifacts and archives for tests, written by hand."""

import json
from pathlib import Path
from typing import Any

from .layouts import OCI, REF, Layout, Part, sha256, tarred

LINUX = {"architecture": "amd64", "os": "linux"}
BUILDKIT = {"platform": {"architecture": "unknown", "os": "unknown"}}
BUILDKIT |= {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
MANIFEST = f"{OCI}manifest.v1+json"
INDEX = f"{OCI}index.v1+json"
COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"


def add(layout: Layout, document: Any, **said: Any) -> dict[str, Any]:
    """Add a manifest to a layout's blobs, and return the entry that points to it."""
    return Layout.point(layout.blob(json.dumps(document).encode()).read_bytes(), MANIFEST) | said


def linux(layout: Layout) -> dict[str, Any]:
    """Add an image for Linux."""
    layer = layout.blob(tarred([Part("etc/x", b"x")])).read_bytes()
    config = {**LINUX, "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]}}
    data = layout.blob(json.dumps(config).encode()).read_bytes()
    return add(
        layout,
        {
            "schemaVersion": 2,
            "config": Layout.point(data, f"{OCI}config.v1+json"),
            "layers": [Layout.point(layer, f"{OCI}layer.v1.tar")],
        },
    )


def artifact(layout: Layout, kind: str = "", config: str = f"{OCI}empty.v1+json", layer: str = "text/spdx") -> Any:
    """Add an artifact."""
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "config": Layout.point(layout.blob(b"{}").read_bytes(), config),
        "layers": [Layout.point(layout.blob(b"SPDX").read_bytes(), layer)],
    }
    return add(layout, document | ({"artifactType": kind} if kind else {}))


def indexed(layout: Layout, *entries: dict[str, Any], windows: bool = True) -> str:
    """Write a layout that has an index called ``t`` of its own image and *entries*."""
    layout.write()
    own = layout.index["manifests"][:windows]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*entries, *own]}
    data = layout.blob(json.dumps(index).encode()).read_bytes()
    layout.index["manifests"] = [Layout.point(data, INDEX) | {"annotations": {REF: "t"}}]
    return f"{layout.write()}:t"


def archived(layout: Layout, path: Path, *more: Part, drop: tuple[str, ...] = ()) -> str:
    """Return the name of an archive of a layout, with *more* at its end."""
    layout.write()
    files = [each for each in sorted(layout.folder.rglob("*")) if each.is_file()]
    parts = [Part(str(each.relative_to(layout.folder)), each.read_bytes(), records={}) for each in files]
    path.write_bytes(tarred([*(part for part in parts if part.name not in drop), *more]))
    return f"oci-archive:{path}"


def docker(config: str, layers: list[str]) -> Part:
    path = "blobs/sha256/"
    listed = [{"Config": path + config[7:], "Layers": [path + each[7:] for each in layers]}]
    return Part("manifest.json", json.dumps(listed).encode(), records={})
