# SPDX-License-Identifier: Apache-2.0
"""The JSON documents of an image, with every field that clients decode.

Clients refuse a document if any field has the wrong type, even a field that they do not use. Sources:
github.com/opencontainers/image-spec v1.1.1, specs-go/v1; github.com/moby/docker-image-spec v1.3.1, specs-go/v1;
github.com/distribution/distribution manifest/manifestlist (features); github.com/moby/moby v28 api/types/container
Config, image.V1Image (container, docker_version …), image/tarexport. V1Image's "Size" is left out: releases that store
images in containerd do not decode it.
"""

import re
from typing import Final, TypeVar

import msgspec

from .gojson import Time, decode, decode_list

OCI: Final = "application/vnd.oci.image."
DOCKER: Final = "application/vnd.docker."
INDEXES: Final = (f"{OCI}index.v1+json", f"{DOCKER}distribution.manifest.list.v2+json")
MANIFESTS: Final = (f"{OCI}manifest.v1+json", f"{DOCKER}distribution.manifest.v2+json")
CONFIGS: Final = (f"{OCI}config.v1+json", f"{DOCKER}container.image.v1+json")
LAYERS: Final = {  # the compression of the tar by media type
    f"{OCI}layer.v1.tar": "",
    f"{OCI}layer.v1.tar+gzip": "gzip",
    f"{OCI}layer.v1.tar+zstd": "zstd",
    f"{OCI}layer.nondistributable.v1.tar": "",
    f"{OCI}layer.nondistributable.v1.tar+gzip": "gzip",
    f"{OCI}layer.nondistributable.v1.tar+zstd": "zstd",
    f"{DOCKER}image.rootfs.diff.tar": "",
    f"{DOCKER}image.rootfs.diff.tar.gzip": "gzip",
    f"{DOCKER}image.rootfs.foreign.diff.tar": "",
    f"{DOCKER}image.rootfs.foreign.diff.tar.gzip": "gzip",
}
REF_NAME: Final = "org.opencontainers.image.ref.name"
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")  # the algorithms that clients support


class Nothing(msgspec.Struct, frozen=True):
    """An object whose fields are not read."""


class ImagePlatform(msgspec.Struct, frozen=True, rename={"os_version": "os.version", "os_features": "os.features"}):
    """The platform of an image."""

    architecture: str = ""
    os: str = ""
    os_version: str | None = None
    os_features: tuple[str, ...] = ()
    variant: str = ""


class ContentDescriptor(
    msgspec.Struct, frozen=True, rename={"media_type": "mediaType", "artifact_type": "artifactType"}
):
    """A pointer to a blob, with its size in bytes."""

    digest: str = ""
    size: int = 0
    media_type: str | None = None
    platform: ImagePlatform | None = None
    annotations: dict[str, str] | None = None
    artifact_type: str = ""
    urls: list[str] = []
    data: bytes = b""


class ListedPlatform(ImagePlatform, frozen=True):
    """A platform in an index; Docker's manifest lists have one more field."""

    features: tuple[str, ...] = ()


class Listed(ContentDescriptor, frozen=True):
    """A descriptor in an index."""

    platform: ListedPlatform | None = None


class Index(msgspec.Struct, frozen=True, rename="camel"):
    """A list of manifests: the platforms of an image, or the images of a layout."""

    manifests: list[Listed] = []
    schema_version: int | None = None
    media_type: str | None = None
    artifact_type: str = ""
    subject: ContentDescriptor | None = None
    annotations: dict[str, str] | None = None


class Layout(msgspec.Struct, frozen=True, rename={"version": "imageLayoutVersion"}):
    """The file oci-layout, the marker of a layout."""

    version: str = ""


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """A manifest: the configuration and the layers of an image for one platform, lowest layer first."""

    config: ContentDescriptor = ContentDescriptor()
    layers: list[ContentDescriptor] = []
    schema_version: int | None = None
    media_type: str | None = None
    artifact_type: str = ""
    subject: ContentDescriptor | None = None
    annotations: dict[str, str] | None = None


class Healthcheck(msgspec.Struct, frozen=True, rename="pascal"):
    """Docker's health check of a container; times are in nanoseconds."""

    test: list[str] = []
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ConfigSettings(msgspec.Struct, frozen=True, rename="pascal"):
    """Settings for containers of an image."""

    user: str | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    env: list[str] | None = None
    working_dir: str | None = None
    labels: dict[str, str] | None = None
    exposed_ports: dict[str, Nothing] = {}
    volumes: dict[str, Nothing] = {}
    stop_signal: str = ""
    args_escaped: bool = False
    # Fields that only Docker defines.
    healthcheck: Healthcheck | None = None
    on_build: list[str] = []
    shell: list[str] = []
    hostname: str = ""
    domainname: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    image: str = ""
    network_disabled: bool = False
    mac_address: str = ""
    stop_timeout: int = 0


class RootFS(msgspec.Struct, frozen=True):
    """The diff IDs: digests of the layers' uncompressed tars, lowest first."""

    diff_ids: list[str] | None = None
    type: str | None = None


class LayerHistory(msgspec.Struct, frozen=True):
    """A build step; *empty_layer* if it changed settings only and made no layer."""

    created: Time | None = None
    created_by: str | None = None
    author: str = ""
    comment: str = ""
    empty_layer: bool | None = None


class Config(msgspec.Struct, frozen=True, rename={"os_version": "os.version", "os_features": "os.features"}):
    """The configuration of an image."""

    architecture: str | None = None
    os: str | None = None
    os_version: str | None = None
    rootfs: RootFS = RootFS()
    config: ConfigSettings = ConfigSettings()
    history: list[LayerHistory] = []
    created: Time | None = None
    author: str = ""
    variant: str = ""
    os_features: tuple[str, ...] = ()
    # Fields that only Docker defines.
    id: str = ""
    parent: str = ""
    comment: str = ""
    container: str = ""
    container_config: ConfigSettings = ConfigSettings()
    docker_version: str = ""


class Saved(msgspec.Struct, frozen=True, rename="pascal"):
    """An image in the manifest.json of an archive for `docker load`; values are paths in the archive."""

    config: str = ""
    layers: list[str] = []
    repo_tags: list[str] | None = None
    parent: str = ""
    layer_sources: dict[str, ContentDescriptor] = {}


_Document = TypeVar("_Document", bound=msgspec.Struct)
# Keys that a document must not have, since they belong to another kind. Sources: github.com/containerd/containerd
# images/image.go, validateMediaType; github.com/containers/image internal/manifest, ValidateUnambiguousManifestFormat.
# Only the latter checks history, and only if its value is not null.
_OTHERS: Final[dict[type[msgspec.Struct], tuple[str, ...]]] = {
    Manifest: ("manifests", "fslayers", "history"),
    Index: ("config", "layers", "fslayers", "history"),
}


def read(data: bytes, kind: type[_Document]) -> tuple[_Document, list[tuple[str, str]]]:
    """Decode a document as *kind*; return it, and its faults as pairs of the broken rule and a description.

    Raises ValueError with the reason if clients refuse to decode the document.
    """
    document, keys, notes = decode(data, kind)
    found = [("keys", note) for note in notes]
    others = [key for key in _OTHERS.get(kind, ()) if key in keys and (key != "history" or keys[key] is not None)]
    if others:
        found.append(("document", f"it has {others[0]}, which belongs to another kind of document"))
    return document, found


def read_saved(data: bytes) -> tuple[list[tuple[Saved, bytes]], list[tuple[str, str]]]:
    """Return the entries of a manifest.json for `docker load`, each decoded and as bytes, and faults as read() does."""
    entries, notes = decode_list(data, Saved)
    return entries, [("keys", note) for note in notes]
