# SPDX-License-Identifier: Apache-2.0
"""Images as they are found, and how to tell one for Windows from an artifact or an image for another system."""

import io
from collections.abc import Callable
from typing import Final, NamedTuple

from ..base.errors import GeneratorError, brief, shorten
from .blobs import Store
from .documents import CONFIGS, INDEXES, LAYERS, MANIFESTS, Config, ContentDescriptor, ImagePlatform, Manifest

_ATTESTATION: Final = "vnd.docker.reference.type"  # BuildKit marks what is no image but tells of one
_NO_SYSTEM: Final = "unknown"  # which such a one is for; whatever else is marked, hosts take
_WINDOWS: Final = "windows"
ARTIFACT: Final = "artifact of"

Fault = Callable[[str, str, str], None]
"""Callback for a fault: where it is, the rule that is broken, and what was found."""

Skip = Callable[[str, str], None]
"""Callback for an entry that is passed over: its name, and what it is instead of a Windows image."""


class Layer(NamedTuple):
    """A layer as an image names it: by *descriptor*, which an archive for `docker load` lacks, and *diff_id*.

    *name* is its digest, or its path in such an archive; *diff_id* is empty where the configuration has none for it.
    """

    name: str
    descriptor: ContentDescriptor | None
    diff_id: str
    store: Store
    path: str

    def open(self) -> io.BufferedReader:
        """Open the blob as it is stored; raises OSError where it cannot be read."""
        return self.store.open(self.path)


class Image(NamedTuple):
    """An image of one platform; *name* is what to call it, *platform* what the index says that it is for, if any.

    *manifest* and *descriptor*, which points to it, are absent in an archive for `docker load`. A document that is
    damaged is None, too, and a fault was told. *raw* is manifest and configuration as they are stored, empty where they
    cannot be read; in an archive for `docker load`, the first is what its manifest.json says of the image.
    """

    name: str
    descriptor: ContentDescriptor | None
    platform: ImagePlatform | None
    manifest: Manifest | None
    config: Config | None
    layers: tuple[Layer, ...]
    raw: tuple[bytes, bytes] = (b"", b"")


def refuse(where: str, rule: str, found: str) -> None:
    """Raise GeneratorError for a fault, for callers that need an intact image."""
    raise GeneratorError(f"{where}: {found} ({rule})")


def diff_ids(config: Config | None) -> list[str]:
    """Return the diff IDs that a configuration has, if there is one."""
    return (config.rootfs.diff_ids if config else None) or []


def is_foreign(system: str | None) -> bool:
    """Return whether an operating system is known and is not Windows, in whatever case, as for containerd/platforms."""
    return bool(system) and str(system).lower() != _WINDOWS


def claims_windows(platform: ImagePlatform | None) -> bool:
    """Return whether an index says that an image is for Windows."""
    return platform is not None and platform.os.lower() == _WINDOWS


def called(what: ImagePlatform | Config) -> str:
    """Return a platform as containerd writes it."""
    return shorten(f"{what.os}/{what.architecture or 'unknown'}" + (f"/{what.variant}" if what.variant else ""))


def passed_over(descriptor: ContentDescriptor, *, windows: bool) -> str:
    """Return why an index's entry is not read, by what the index says of it; empty if it is.

    With *windows*, images for other systems are not read.
    """
    platform, kind = descriptor.platform, descriptor.media_type
    if platform is not None and _ATTESTATION in (descriptor.annotations or {}) and platform.os == _NO_SYSTEM:
        return f"{ARTIFACT} BuildKit's"
    if kind and kind not in {*INDEXES, *MANIFESTS} and not claims_windows(platform):
        return f"{ARTIFACT} type {brief(kind)}"
    return called(platform) if windows and platform is not None and is_foreign(platform.os) else ""


def not_an_image(descriptor: ContentDescriptor, manifest: Manifest, config: Config | None) -> str:
    """Return what a manifest is if it is an artifact's, such as an SBOM or a signature; empty for an image's.

    OCI image specification 1.1, manifest.md, "Guidelines for Artifact Usage": an artifact has an artifactType, or a
    configuration of a type of its own. Signatures of cosign have an image's configuration that is for no system, and
    layers of a type of their own.
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
