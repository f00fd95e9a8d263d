# SPDX-License-Identifier: Apache-2.0
"""Images that exist, with their documents as they stand and their layers as blobs to move."""

import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from ..base.console import Say
from ..base.errors import GeneratorError, counted, shorten
from ..image.base import config_object, json_object, layer_ids, layers_of, pack
from ..image.config import CONFIG, MANIFEST, Document, manifest
from ..image.model import GZIP, LayerBlob
from ..imageread.documents import MANIFESTS, REF_NAME, ContentDescriptor, ImagePlatform, ListedPlatform
from ..imageread.images import Image
from ..imageread.lookup import Lookup
from ..imageread.platforms import architecture, normal
from ..imageread.references import Platform

Json = dict[str, Any]
_NAMES: Final = (REF_NAME, "io.containerd.image.name")  # annotations of a layout's index
_BUILD: Final = re.compile(r"([0-9]+\.[0-9]+\.[0-9]+)(?:\.[0-9]+)?")


class Opened(NamedTuple):
    """An image for one platform as it was read: *listed* is its descriptor, *made* its documents as they stand.

    *config* and *manifest* are the content of those two. *layers* have OCI's media types. A `docker save` archive has
    no manifest and no blobs: they are made by packed(), until which *layers* have diff IDs only.
    """

    lookup: Lookup
    image: Image
    listed: ContentDescriptor
    made: tuple[Document, Document]
    config: Json
    manifest: Json
    layers: tuple[LayerBlob, ...]

    @property
    def name(self) -> str:
        """A name that leads to the image alone."""
        return self.image.name

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The diff IDs of its layers, lowest first."""
        return tuple(layer.diff_id for layer in self.layers)

    @property
    def platform(self) -> ImagePlatform:
        """The platform of the index's entry, completed by the configuration's: containerd takes the entry's."""
        listed, own = self.image.platform or ImagePlatform(), platform_of(self.config)
        return ImagePlatform(*(getattr(listed, key) or getattr(own, key) for key in ImagePlatform.__struct_fields__))


def build(version: str | None) -> str:
    """Return the build of a version, such as 10.0.20348, or nothing."""
    found = _BUILD.fullmatch(version or "")
    return found[1] if found else ""


def build_platform(image: Opened) -> Platform:
    """Return the architecture and the build for which *image* needs a base."""
    return Platform(architecture(image.platform.architecture), build(image.platform.os_version))


def platform_of(config: Json) -> ImagePlatform:
    """Return the platform of a configuration that was checked."""
    features = tuple(config.get("os.features") or ())
    names = (config.get(key) or "" for key in ("architecture", "os"))
    return ImagePlatform(next(names), next(names), config.get("os.version"), features, config.get("variant") or "")


def descriptor_of(listed: ContentDescriptor) -> Json:
    """Return the descriptor of an image for another index, without its names in a layout."""
    found: Json = {"mediaType": listed.media_type, "digest": listed.digest, "size": listed.size}
    annotations = {key: value for key, value in (listed.annotations or {}).items() if key not in _NAMES}
    others = {"annotations": annotations, "urls": listed.urls, "artifactType": listed.artifact_type}
    if isinstance(listed.platform, ListedPlatform) and listed.platform.features:
        others["platform"] = {"features": list(listed.platform.features)}
    return found | {key: value for key, value in others.items() if value}


def opened_images(lookup: Lookup, folder: Path, note: Say) -> list[Opened]:
    """Return every image of *lookup*, as opened() does; *note* gets a warning for each entry left out."""
    for where, why in lookup.passed:
        note(f"warning: {where}: left out: {why}")
    return [opened(lookup, each, folder) for each in lookup.images]


def opened(lookup: Lookup, image: Image, folder: Path) -> Opened:
    """Return an *image* of *lookup*, whose layers can be fetched to *folder*.

    Raises GeneratorError without a configuration or a diff ID for each layer, for a wrong schema version or media type,
    and for another system than its index says.
    """
    name = image.name
    if not image.layers:
        raise GeneratorError(f"{name}: {counted(0, 'layer')}; hint: winscratch check-image")
    if image.manifest is None and image.descriptor is None and image.config is not None:
        return _saved(lookup, image)
    if image.manifest is None or image.config is None or image.descriptor is None:
        raise GeneratorError(f"{name}: no OCI image; hint: skopeo copy it to oci:DIR")
    digests = (image.descriptor, image.manifest.config, *image.manifest.layers)
    if other := next((each.digest for each in digests if not each.digest.startswith("sha256:")), ""):
        raise GeneratorError(f"{name}: {shorten(other)}: not a SHA-256; hint: skopeo copy it to oci:DIR")
    kind = image.descriptor.media_type or image.manifest.media_type or MANIFEST
    if image.manifest.schema_version != 2 or kind not in MANIFESTS or (image.manifest.media_type or kind) != kind:
        raise GeneratorError(f"{name}: schema version or media type of its manifest; hint: winscratch check-image")
    kinds = kind, image.manifest.config.media_type or CONFIG
    pointed, config = (Document(data, kind) for data, kind in zip(image.raw, kinds, strict=True))
    documents = config_object(config.data, name), json_object(pointed.data, name)
    listed, layers = replace(image.descriptor, media_type=kind), layers_of(lookup, image, folder, name)
    found = Opened(lookup, image, listed, (config, pointed), *documents, layers)
    own = normal(ImagePlatform(image.config.architecture or "", image.config.os or ""))
    for key in ("os", "architecture"):
        said, stands = (shorten(getattr(each, key)) or "none" for each in (normal(found.platform), own))
        if said != stands:
            raise GeneratorError(f"{name}: {key} is {stands}, and the index says {said}; hint: winscratch check-image")
    return found


def _saved(lookup: Lookup, image: Image) -> Opened:
    """Return an image of a `docker save` archive, without a manifest and without blobs."""
    if len(lookup.images) > 1:
        raise GeneratorError(f"{image.name}: {len(lookup.images)} images; hint: name one: docker-archive:FILE:REF")
    config = Document(image.raw[1], CONFIG)
    blobs = (LayerBlob(Path(), "", each, 0, GZIP) for each in layer_ids(image, image.name))
    documents = config, Document(b"", MANIFEST)
    return Opened(lookup, image, ContentDescriptor(), documents, config_object(config.data, image.name), {}, (*blobs,))


def packed(image: Opened, folder: Path, start: int = 0) -> Opened:
    """Return *image* with blobs for its layers from *start* on; from elsewhere than a `docker save` archive, as it is.

    The blobs are in *folder*. Without *start*, the image has a manifest. Raises GeneratorError.
    """
    if image.image.manifest is not None:
        return image
    blobs = tuple(pack(each, folder, image.name) for each in image.image.layers[start:])
    layers = image.layers[:start] + blobs
    if start:
        return image._replace(layers=layers)
    made = manifest(image.made[0], layers, {})
    listed = ContentDescriptor(made.digest, len(made.data), made.media_type)
    content = json_object(made.data, image.name)
    return image._replace(listed=listed, made=(image.made[0], made), manifest=content, layers=layers)
