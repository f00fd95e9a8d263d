# SPDX-License-Identifier: Apache-2.0
"""BuildKit's attestations: entries of an index that are about an image in it, by that image's digest.

They stay as long as their image does, as `docker buildx imagetools create` keeps them: github.com/docker/buildx
util/imagetools/create.go; BuildKit, docs/attestations/attestation-storage.md.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from ..base.console import Say
from ..image.base import blob_path
from ..image.config import MANIFEST, Document
from ..image.model import LayerBlob, Origin
from ..imageread.found import Image, attested
from ..imageread.lookup import Lookup
from .opened import descriptor_of

Json = dict[str, Any]


class Attestation(NamedTuple):
    """An attestation of an image that stays: its *descriptor* for an index, its documents and its blobs."""

    descriptor: Json
    documents: tuple[Document, Document]
    blobs: tuple[LayerBlob, ...]


def kept(lookup: Lookup, digests: Collection[str], folder: Path, note: Say) -> list[Attestation]:
    """Return the attestations of *lookup* about images with one of *digests*; *note* gets a warning for each other."""
    found = []
    for each in lookup.attestations:
        if each.descriptor is not None and attested(each.descriptor) in digests:
            found.append(_attestation(lookup, each, folder))
        else:
            note(f"warning: {each.name}: left out: attestation of an image that is not in the index")
    return found


def _attestation(lookup: Lookup, image: Image, folder: Path) -> Attestation:
    if image.descriptor is None or image.manifest is None:
        raise TypeError("attestations have a descriptor and a manifest")
    descriptor = descriptor_of(image.descriptor)
    descriptor["platform"] = {"architecture": "unknown", "os": "unknown"}
    kinds = image.manifest.config.media_type or "", image.descriptor.media_type or MANIFEST
    config, manifest = (Document(data, kind) for data, kind in zip(reversed(image.raw), kinds, strict=True))
    blobs = []
    for layer in image.layers:
        if layer.descriptor is None:
            raise TypeError("layers of a manifest have a descriptor")
        size, kind = layer.descriptor.size, layer.descriptor.media_type or ""
        blobs.append(LayerBlob(blob_path(folder, layer.name), layer.name, "", size, kind, Origin(lookup, image, layer)))
    return Attestation(descriptor, (config, manifest), tuple(blobs))
