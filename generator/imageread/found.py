# SPDX-License-Identifier: Apache-2.0
"""Records of images and layers, and tests for artifacts and for images of other operating systems."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from ..base.errors import GeneratorError, brief, shorten
from .blobs import Store
from .documents import CONFIGS, INDEXES, LAYERS, MANIFESTS, Config, ContentDescriptor, ImagePlatform, Manifest, Saved

_ATTESTATION: Final = "vnd.docker.reference.type"  # BuildKit's mark of an attestation
_NO_SYSTEM: Final = "unknown"  # the system of attestations; hosts take a marked image for any other system
_WINDOWS: Final = "windows"
ARTIFACT: Final = "artifact of"
_BLOBS: Final = "blobs/sha256/"

Fault = Callable[[str, str, str], None]
"""Callback for a fault: its place, the broken rule, and what was found."""

Skip = Callable[[str, str], None]
"""Callback for an entry that is passed over: its name, and its kind."""


class Layer(NamedTuple):
    """A layer of an image; *descriptor* is None in an archive for `docker load`.

    *name* is its digest, or its path in such an archive; *diff_id* is empty if the configuration has none for it.
    """

    name: str
    descriptor: ContentDescriptor | None
    diff_id: str
    store: Store
    path: str

    def open(self) -> io.BufferedReader:
        """Open the blob as stored; raises OSError if it cannot be read."""
        return self.store.open(self.path)


class Image(NamedTuple):
    """An image of one platform; *name* leads to it alone, *platform* is the index's, if any.

    *descriptor* points to *manifest*; both are None in an archive for `docker load`. A damaged document is None too,
    after a fault. *raw* is manifest and configuration as stored, empty if unreadable; in an archive for
    `docker load`, the first is the image's entry in manifest.json.
    """

    name: str
    descriptor: ContentDescriptor | None
    platform: ImagePlatform | None
    manifest: Manifest | None
    config: Config | None
    layers: tuple[Layer, ...]
    raw: tuple[bytes, bytes] = (b"", b"")


def two_faces(images: Iterable[Image], entries: Iterable[tuple[Saved, str]]) -> Iterator[str]:
    """Yield each entry of a manifest.json, given with the digest of its configuration, that differs from *images*."""
    known: dict[str, list[list[str]]] = {}
    for image in images:
        if image.manifest is not None:
            layers = [each.digest for each in image.manifest.layers]
            known.setdefault(image.manifest.config.digest, []).append(layers)
    for at, (entry, digest) in enumerate(entries):
        layers = [f"sha256:{each.removeprefix(_BLOBS)}" for each in entry.layers]
        if digest not in known:
            yield f"[{at}] is an image that index.json does not lead to"
        elif all(each.startswith(_BLOBS) for each in entry.layers) and layers not in known[digest]:
            yield f"[{at}] has other layers than index.json's image"


def refuse(where: str, rule: str, found: str) -> None:
    """Raise GeneratorError for a fault, for callers that need an intact image."""
    raise GeneratorError(f"{where}: {found} ({rule})")


def diff_ids(config: Config | None) -> list[str]:
    """Return the diff IDs of a configuration, or nothing."""
    return (config.rootfs.diff_ids if config else None) or []


def is_foreign(system: str | None) -> bool:
    """Return whether an operating system is given and is not Windows, in any case, as containerd/platforms does."""
    return bool(system) and str(system).lower() != _WINDOWS


def claims_windows(platform: ImagePlatform | None) -> bool:
    """Return whether a platform is Windows."""
    return platform is not None and platform.os.lower() == _WINDOWS


def called(what: ImagePlatform | Config) -> str:
    """Return a platform in containerd's spelling."""
    return shorten(f"{what.os}/{what.architecture or 'unknown'}" + (f"/{what.variant}" if what.variant else ""))


def passed_over(descriptor: ContentDescriptor, *, windows: bool) -> str:
    """Return why an index's entry is passed over, or nothing if it is to be read.

    *windows*: images for other systems are passed over.
    """
    platform, kind = descriptor.platform, descriptor.media_type
    if platform is not None and _ATTESTATION in (descriptor.annotations or {}) and platform.os == _NO_SYSTEM:
        return f"{ARTIFACT} BuildKit's"
    if kind and kind not in {*INDEXES, *MANIFESTS} and not claims_windows(platform):
        return f"{ARTIFACT} type {brief(kind)}"
    return called(platform) if windows and platform is not None and is_foreign(platform.os) else ""


def not_an_image(descriptor: ContentDescriptor, manifest: Manifest, config: Config | None) -> str:
    """Return the kind of an artifact, such as an SBOM or a signature, or nothing for an image.

    OCI image specification 1.1, manifest.md, "Guidelines for Artifact Usage": an artifact has an artifactType, or a
    configuration of another type. Signatures of cosign have an image's configuration without a system, and layers of
    another type.
    """
    own_layers = bool(manifest.layers) and not any(each.media_type in LAYERS for each in manifest.layers)
    if manifest.config.media_type in CONFIGS and not own_layers:
        return ""
    kind = manifest.artifact_type or descriptor.artifact_type
    claimed = claims_windows(descriptor.platform) or (config is not None and (config.os or "").lower() == _WINDOWS)
    if claimed and not kind:
        return ""
    own = manifest.config.media_type
    if own in CONFIGS:
        own = manifest.layers[0].media_type
    return f"{ARTIFACT} type {brief(kind or own)}"
