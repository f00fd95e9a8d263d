# SPDX-License-Identifier: Apache-2.0
"""Changes to an image's documents and blobs, each by the rule of check-image that the changed image breaks."""

import gzip
from collections.abc import Callable
from typing import Any

from .layouts import OCI, ROOTS, Layout, Part, base, sha256, tarred


def set_to(path: str, value: Any) -> Callable[[Layout], None]:
    """Return a change that sets a value of a layout's documents, such as ``manifest/layers/0/size``."""

    def change(layout: Layout) -> None:
        first, *way, last = path.split("/")
        here = getattr(layout, first)
        for step in way:
            here = here[int(step) if isinstance(here, list) else step]
        here[int(last) if isinstance(here, list) else last] = value

    return change


def without_blob(layout: Layout) -> None:
    del layout.blobs[1]


def without_foreign_blob(layout: Layout) -> None:
    layout.manifest["layers"][1]["mediaType"] = f"{OCI}layer.nondistributable.v1.tar+gzip"
    del layout.blobs[1]


def replaced(data: bytes) -> Callable[[Layout], None]:
    """Return a change that replaces the layer on top by *data*."""

    def change(layout: Layout) -> None:
        layout.blobs[1] = data
        layout.manifest["layers"][1] |= {"digest": sha256(data), "size": len(data)}

    return change


def other_content(layout: Layout) -> None:
    blob = bytearray(layout.blobs[1])
    blob[4] ^= 1  # the time in gzip's header, so that it unpacks as before
    layout.blob(bytes(blob)).rename(layout.blob(layout.blobs.pop(1)))


def without_layers(layout: Layout) -> None:
    layout.manifest["layers"] = []
    layout.config["rootfs"]["diff_ids"] = []


def member(data: bytes, flags: int, more: bytes) -> bytes:
    """Return a gzip file whose header has *flags*, and *more* after it."""
    whole = gzip.compress(data, mtime=0)
    return whole[:3] + bytes([flags]) + whole[4:10] + more + whole[10:]


def versions(listed: str, own: str) -> Callable[[Layout], None]:
    """Return a change that sets os.version in the index and in the configuration, unless empty."""

    def change(layout: Layout) -> None:
        layout.platform = {"architecture": "amd64", "os": "windows"} | ({"os.version": listed} if listed else {})
        layout.config |= {"os.version": own} if own else {}

    return change


DOCKER = "application/vnd.docker."
ZEROS = "sha256:" + "0" * 64
TAR = tarred([*ROOTS, Part("Files/hello.exe", b"MZ")])
DOCUMENTS: list[tuple[str, Callable[[Layout], None]]] = [
    ("document", set_to("index/manifests", {})),
    ("document", set_to("manifest/layers", {})),
    ("document", set_to("manifest/layers/0/size", "9")),
    ("document", set_to("config/os", 1)),
    ("document", set_to("config/rootfs", [])),
    ("blob", without_blob),
    ("blob-foreign", without_foreign_blob),
    ("digest", other_content),
    ("digest", set_to("manifest/layers/1/digest", "sha256:../../../etc/passwd")),
    ("size", set_to("manifest/layers/1/size", 7)),
    ("size", set_to("manifest/layers/1/size", 1 << 40)),
    ("media-type", set_to("manifest/layers/1/mediaType", "application/x-tar")),
    ("media-type", set_to("manifest/mediaType", f"{OCI}index.v1+json")),
    ("media-type", set_to("kinds/config", "application/json")),
    ("compression", set_to("manifest/layers/1/mediaType", f"{OCI}layer.v1.tar")),
    ("compression-detected", set_to("manifest/layers/1/mediaType", f"{OCI}layer.v1.tar+zstd")),
    ("compression-detected", replaced(TAR)),
    ("spelling", set_to("config/architecture", "x86_64")),
    ("spelling", set_to("config/os", "Windows")),
    ("spelling", set_to("platform/os", "Windows")),
    ("spelling-listed", set_to("platform/architecture", "x86_64")),
    ("schema", set_to("manifest/schemaVersion", 1)),
    ("schema", set_to("index/schemaVersion", 1)),
    ("media-type", set_to("index/mediaType", f"{OCI}manifest.v1+json")),
    ("os", set_to("config/os", "linux")),
    ("architecture", set_to("config/architecture", "x86")),
    ("os-version", set_to("config/os.version", "ltsc2022")),
    ("platform", set_to("platform/architecture", "arm64")),
    ("os-version", set_to("platform/os.version", "ltsc2022")),
    ("rootfs", set_to("config/rootfs/diff_ids", [sha256(base())])),
    ("rootfs", set_to("config/rootfs/diff_ids/1", "md5:00")),
    ("history", set_to("config/history", [{"created_by": "x"}])),
    ("diff-id", set_to("config/rootfs/diff_ids/1", ZEROS)),
    ("layers", without_layers),
    ("document", set_to("manifest/manifests", [])),
    ("document", set_to("index/layers", [])),
    ("document", set_to("manifest/schemaVersion", 2.0)),
    ("keys", set_to("config/Author", "me")),
    ("layout", lambda layout: setattr(layout, "version", "1.0.1")),
    ("layout", lambda layout: setattr(layout, "version", None)),
    ("rootfs", set_to("config/rootfs/type", "layers+base")),
    ("rootfs", set_to("config/rootfs/type", None)),
    ("mixed", set_to("manifest/mediaType", f"{DOCKER}distribution.manifest.v2+json")),
    ("mixed", set_to("kinds/config", f"{DOCKER}container.image.v1+json")),
    ("mixed-taken", set_to("manifest/layers/1/mediaType", f"{DOCKER}image.rootfs.diff.tar.gzip")),
    ("platform-version", versions("10.0.20348", "10.0.26100")),
    ("layer", replaced(gzip.compress(TAR)[:-9])),
    ("layer", replaced(gzip.compress(TAR) + b"x")),
    ("layer", replaced(gzip.compress(TAR) + bytes(512))),
    ("layer", replaced(member(TAR, 2, b"\xde\xad"))),
    ("layer", replaced(member(TAR, 8, b"A" * 512 + b"\0"))),
    ("layer", replaced(member(TAR, 24, b"\0" + b"A" * 9))),
    ("layer", replaced(gzip.compress(b"no tar" * 100))),
    ("layer", replaced(gzip.compress(TAR[:700]))),
    ("layer", replaced(gzip.compress(TAR[:512] + bytes(512) + TAR[512:]))),
    ("rest", replaced(gzip.compress(TAR + b"x" * 512))),
]
