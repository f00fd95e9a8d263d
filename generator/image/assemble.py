# SPDX-License-Identifier: Apache-2.0
"""Make the documents of an image from its layers and options, without writing anything."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..imageread.references import Platform
from . import config
from .base import DIGEST_OF, Base
from .config import Document
from .model import LayerBlob
from .options import Options, epoch


class Variant(NamedTuple):
    """An image for one platform."""

    config: Document
    layers: tuple[LayerBlob, ...]

    @property
    def foreign(self) -> tuple[LayerBlob, ...]:
        """The foreign layers: the manifest lists their URLs, and their blobs are not stored with the image."""
        return tuple(blob for blob in self.layers if blob.foreign)


class BuiltImage(NamedTuple):
    """An image: *top* is its index, or its manifest if it has one platform; the digest of *top* is the image's.

    *documents* holds every JSON document, *top* last; *variants* one image for each platform. *attached* has the blobs
    of attestations of images.
    """

    top: Document
    documents: tuple[Document, ...]
    variants: tuple[Variant, ...]
    attached: tuple[LayerBlob, ...] = ()

    @property
    def blobs(self) -> dict[str, LayerBlob]:
        """The layers by digest, which platforms share, and the attached blobs."""
        layers = {blob.digest: blob for variant in self.variants for blob in variant.layers}
        return layers | {blob.digest: blob for blob in self.attached}


class Layers(NamedTuple):
    """The layers of an image: a winscratch base layer or another image, and those *above*, each with a history text."""

    base: LayerBlob | Base
    above: tuple[tuple[LayerBlob, str], ...] = ()


class PlatformImage(NamedTuple):
    """An image for one platform, before its documents are made: its layers, and its options for that platform."""

    platform: Platform
    options: Options
    layers: Layers


def assemble(images: Sequence[PlatformImage], time: int) -> BuiltImage:
    """Return the image for all platforms, with the creation *time* in seconds since 1970; raises GeneratorError."""
    documents: list[Document] = []
    variants: list[Variant] = []
    manifests: list[Document] = []
    for each in images:
        made, blobs, base = _documented(each, time)
        manifests.append(config.manifest(made, blobs, config.annotations(each.options, base)))
        documents += [made, manifests[-1]]
        variants.append(Variant(made, blobs))
    top = manifests[0]
    if len(manifests) > 1:
        platforms = [each.platform for each in images]
        lowest = images[0].layers.base
        base = lowest.annotations if isinstance(lowest, Base) else {}
        top = config.index(list(zip(manifests, platforms, strict=True)), config.annotations(images[0].options, base))
        documents.append(top)
    return BuiltImage(top, tuple(documents), tuple(variants))


def _documented(image: PlatformImage, time: int) -> tuple[Document, tuple[LayerBlob, ...], dict[str, str]]:
    """Return the configuration of an image, its layers, and the annotations that name its base."""
    platform, options, layers = image
    base, above = layers
    if isinstance(base, Base):
        made = config.configured(base, options, above, time)
        return made, (*base.layers, *(blob for blob, _ in above)), base.annotations
    history = [(base, f"winscratch image --layer {options.layer}"), *above]
    made = config.configuration(options, platform, history, time)
    annotations = {DIGEST_OF: _base_digest(options.layer, base, platform)} if above else {}
    return made, tuple(blob for blob, _ in history), annotations


def docker_entry(image: BuiltImage, tags: Sequence[str]) -> dict[str, Any]:
    """Return the entry of Docker's ``manifest.json`` for *image* in a layout.

    It lists the first platform only: a Docker that reads this file loads every entry, and fails at an image for a
    newer Windows than its own.
    """
    variant = image.variants[0]
    return {
        "Config": blob_path(variant.config.digest),
        "RepoTags": list(tags) or None,
        "Layers": [blob_path(blob.digest) for blob in variant.layers],
    }


def blob_path(digest: str) -> str:
    """Return the path of a blob in a layout: OCI image layout specification, blobs."""
    return f"blobs/{digest.replace(':', '/')}"


def _base_digest(layer: str, base: LayerBlob, platform: Platform) -> str:
    """Return the digest of the image that has only the base layer, and default options."""
    alone = PlatformImage(Platform(platform.architecture), Options(layer=layer), Layers(base))
    return assemble([alone], epoch({})).top.digest
