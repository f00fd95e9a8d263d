# SPDX-License-Identifier: Apache-2.0
"""Layers and options to an image: every document of it, and what Docker's list says of it. Nothing here is written."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..imageread.references import Platform
from . import config
from .config import Document
from .model import Blob
from .options import Options, epoch


class Variant(NamedTuple):
    """An image for one platform."""

    config: Document
    layers: tuple[Blob, ...]


class Image(NamedTuple):
    """An image: *top* is its index, or its manifest where it has one platform, and names it by its digest.

    *documents* holds every JSON document, *top* last; *variants* one image a platform.
    """

    top: Document
    documents: tuple[Document, ...]
    variants: tuple[Variant, ...]

    @property
    def blobs(self) -> dict[str, Blob]:
        """The layers by digest: platforms share them."""
        return {blob.digest: blob for variant in self.variants for blob in variant.layers}


class Layers(NamedTuple):
    """The layers of an image: a base layer and those on top, with what the history says of each of those."""

    base: Blob
    above: tuple[tuple[Blob, str], ...] = ()


def assemble(options: Options, layers: Layers, platforms: Sequence[Platform], time: int) -> Image:
    """Return the image of *layers* for *platforms*, made at *time* in seconds from 1970; raises GeneratorError."""
    history = [(layers.base, f"winscratch image --layer {options.layer}"), *layers.above]
    blobs = tuple(blob for blob, _ in history)
    documents: list[Document] = []
    variants: list[Variant] = []
    manifests: list[Document] = []
    for platform in platforms:
        base = _base_digest(options.layer, layers.base, platform) if layers.above else ""
        made = config.configuration(options, platform, history, time)
        manifests.append(config.manifest(made, blobs, config.annotations(options, base)))
        documents += [made, manifests[-1]]
        variants.append(Variant(made, blobs))
    top = manifests[0]
    if len(manifests) > 1:
        top = config.index(list(zip(manifests, platforms, strict=True)), config.annotations(options, ""))
        documents.append(top)
    return Image(top, tuple(documents), tuple(variants))


def docker_entry(image: Image, tags: Sequence[str]) -> dict[str, Any]:
    """Return what Docker's ``manifest.json`` says of *image* in a layout.

    It is of the first platform alone: where Docker goes by this list, it loads all that is in it, and ends at an
    image that is for a newer Windows than its own.
    """
    variant = image.variants[0]
    return {
        "Config": blob_path(variant.config.digest),
        "RepoTags": list(tags) or None,
        "Layers": [blob_path(blob.digest) for blob in variant.layers],
    }


def blob_path(digest: str) -> str:
    """Return where a layout has the blob of *digest*: OCI image layout specification, blobs."""
    return f"blobs/{digest.replace(':', '/')}"


def _base_digest(layer: str, base: Blob, platform: Platform) -> str:
    """Return the digest of the image that is the base layer alone, as it is made without any option but the layer."""
    alone = assemble(Options(layer=layer), Layers(base), [Platform(platform.architecture)], epoch({}))
    return alone.top.digest
