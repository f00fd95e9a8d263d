# SPDX-License-Identifier: Apache-2.0
"""Records of images and layers, and tests for artifacts and for images of other operating systems."""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from ..base.errors import GeneratorError, brief, shorten
from .blobs import Store
from .documents import CONFIGS, INDEXES, LAYERS, MANIFESTS, Config, ContentDescriptor, ImagePlatform, Manifest, Saved

_ATTESTATION: Final = "vnd.docker.reference.type"  # BuildKit's annotation on attestations
_ATTESTED: Final = "vnd.docker.reference.digest"  # and with the digest of the image that an attestation is about
_NO_SYSTEM: Final = "unknown"  # the system of attestations; with another one, hosts run even an annotated image
_WINDOWS: Final = "windows"
ARTIFACT: Final = "artifact of"
_BLOBS: Final = "blobs/sha256/"

Fault = Callable[[str, str, str], None]
"""Callback for a fault: where it is, the broken rule, and a description."""

Skip = Callable[[str, str], None]
"""Callback for a skipped image or artifact: its name, and its platform or artifact type."""


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
    """An image for one platform; *name* refers to it alone, *platform* is the one in the index, if any.

    *descriptor* points to *manifest*; both are None in an archive for `docker load`. A damaged document is None too,
    and was reported as a fault. *raw* has the bytes of the manifest and of the configuration, empty if unreadable; in
    an archive for `docker load`, the image's entry in manifest.json takes the place of the manifest.
    """

    name: str
    descriptor: ContentDescriptor | None
    platform: ImagePlatform | None
    manifest: Manifest | None
    config: Config | None
    layers: tuple[Layer, ...]
    raw: tuple[bytes, bytes] = (b"", b"")


def two_faces(images: Iterable[Image], entries: Iterable[tuple[Saved, str]]) -> Iterator[str]:
    """Yield a description of each entry of manifest.json that differs from *images*, those of index.json.

    Each of *entries* comes with the digest of its configuration, empty if unreadable.
    """
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


def flat_name(digest: str) -> str:
    """Return the file name of a blob in skopeo's ``dir:`` format."""
    algorithm, _, number = digest.partition(":")
    return number if algorithm == "sha256" else f"{algorithm}-{number}"


def diff_ids(config: Config | None) -> list[str]:
    """Return the diff IDs of a configuration, or an empty list."""
    return (config.rootfs.diff_ids if config else None) or []


def is_foreign(system: str | None) -> bool:
    """Return whether *system* names a system other than Windows; case is ignored, as in containerd/platforms."""
    return bool(system) and str(system).lower() != _WINDOWS


def claims_windows(platform: ImagePlatform | None) -> bool:
    """Return whether a platform is given and is Windows."""
    return platform is not None and platform.os.lower() == _WINDOWS


def called(what: ImagePlatform | Config) -> str:
    """Return the platform of *what* as ``OS/ARCH[/VARIANT]``, containerd's spelling."""
    return shorten(f"{what.os}/{what.architecture or 'unknown'}" + (f"/{what.variant}" if what.variant else ""))


def passed_over(descriptor: ContentDescriptor, *, windows: bool) -> str:
    """Return the reason to skip an entry of an index, or an empty string if it is to be read.

    Artifacts are skipped; with *windows*, images for other operating systems are skipped too.
    """
    platform, kind = descriptor.platform, descriptor.media_type
    if is_attestation(descriptor):
        return f"{ARTIFACT} BuildKit's"
    if kind and kind not in {*INDEXES, *MANIFESTS} and not claims_windows(platform):
        return f"{ARTIFACT} type {brief(kind)}"
    return called(platform) if windows and platform is not None and is_foreign(platform.os) else ""


def is_attestation(descriptor: ContentDescriptor) -> bool:
    """Return whether an entry of an index is an attestation of BuildKit's."""
    platform = descriptor.platform
    return platform is not None and _ATTESTATION in (descriptor.annotations or {}) and platform.os == _NO_SYSTEM


def attested(descriptor: ContentDescriptor) -> str:
    """Return the digest of the image that an attestation is about, or an empty string."""
    return (descriptor.annotations or {}).get(_ATTESTED, "")


def not_an_image(descriptor: ContentDescriptor, manifest: Manifest, config: Config | None) -> str:
    """Return the kind of an artifact, such as an SBOM or a signature, or an empty string for an image.

    OCI image specification 1.1, manifest.md, "Guidelines for Artifact Usage": an artifact has an artifactType, or a
    configuration whose media type is not an image's. cosign's signatures have an image's configuration, without an
    operating system, but layers of other media types.
    """
    own_layers = bool(manifest.layers) and not any(each.media_type in LAYERS for each in manifest.layers)
    if manifest.config.media_type in CONFIGS and not own_layers:
        return ""
    kind = manifest.artifact_type or descriptor.artifact_type
    claimed = claims_windows(descriptor.platform) or (config is not None and (config.os or "").lower() == _WINDOWS)
    if claimed and not kind:
        return ""
    other = manifest.layers[0] if manifest.config.media_type in CONFIGS else manifest.config
    return f"{ARTIFACT} type {brief(kind or other.media_type)}"
