# SPDX-License-Identifier: Apache-2.0
"""Images that exist, with the documents as they stand and their layers as blobs to move."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..base.errors import GeneratorError, shorten
from ..image.config import CONFIG, MANIFEST, Document
from ..image.model import LayerBlob
from ..imageread.documents import DOCKER, LAYERS, OCI, ContentDescriptor, ImagePlatform
from ..imageread.images import Image, Layer
from ..imageread.platforms import normal

Json = dict[str, Any]
_PIECE: Final = 1 << 20  # bytes to copy at a time
_DOCKERS: Final = f"{DOCKER}image.rootfs."


class Opened(NamedTuple):
    """An image for one platform as it was read: *listed* is its descriptor, *made* its documents as they stand.

    *config* and *manifest* are the content of those two.
    """

    image: Image
    listed: ContentDescriptor
    made: tuple[Document, Document]
    config: Json
    manifest: Json

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The diff IDs of its layers, lowest first."""
        return tuple(layer.diff_id for layer in self.image.layers)

    @property
    def platform(self) -> ImagePlatform:
        """The platform of the index's entry, completed by the configuration's: containerd takes the entry's."""
        listed, config = self.image.platform or ImagePlatform(), self.config
        return ImagePlatform(
            listed.architecture or config.get("architecture") or "",
            listed.os or config.get("os") or "",
            listed.os_version or config.get("os.version"),
            listed.os_features or tuple(config.get("os.features") or ()),
            listed.variant or config.get("variant") or "",
        )


def opened(image: Image) -> Opened:
    """Return *image* with its documents; raises GeneratorError if it has no manifest, or lacks a diff ID."""
    name = image.name
    if image.manifest is None or image.config is None or image.descriptor is None:
        raise GeneratorError(f"{name}: no OCI image; hint: skopeo copy {shorten(name)} oci:DIR")
    ids = image.config.rootfs.diff_ids or []
    if len(ids) != len(image.layers) or len(set(map(len, ids))) > 1 or not ids:
        raise GeneratorError(
            f"{name}: {len(ids)} diff IDs for {len(image.layers)} layers; hint: winscratch check-image"
        )
    if strange := next((each for each in image.manifest.layers if each.media_type not in LAYERS), None):
        raise GeneratorError(f"{name}: a layer of the unknown type {shorten(strange.media_type or '')}")
    kinds = image.descriptor.media_type or MANIFEST, image.manifest.config.media_type or CONFIG
    manifest, config = (Document(data, kind) for data, kind in zip(image.raw, kinds, strict=True))
    found = Opened(image, image.descriptor, (config, manifest), json.loads(config.data), json.loads(manifest.data))
    listed = normal(found.platform)
    own = normal(ImagePlatform(image.config.architecture or "", image.config.os or ""))
    for key in ("os", "architecture"):
        if getattr(listed, key) != getattr(own, key):
            raise GeneratorError(
                f"{name}: {key} is {shorten(getattr(own, key))}, and the index says {shorten(getattr(listed, key))}; "
                "hint: winscratch check-image"
            )
    return found


def oci_type(media_type: str) -> str:
    """Return the media type of OCI for a layer's of Docker."""
    if not media_type.startswith(_DOCKERS):
        return media_type
    kind = media_type.removeprefix(_DOCKERS).replace("foreign.diff", "nondistributable.v1").replace("diff", "v1")
    return f"{OCI}layer.{kind.replace('.gzip', '+gzip')}"


def staged(layers: Sequence[Layer], folder: Path, name: str) -> tuple[LayerBlob, ...]:
    """Copy the blobs of *layers* to *folder*, each once; raises GeneratorError for one that has another digest."""
    found = []
    for layer in layers:
        path = folder / f"layer-{layer.name.replace(':', '-')}"
        if not path.exists():
            _copy(layer, path, f"{name}: {layer.name}")
        listed = layer.descriptor or ContentDescriptor()
        found.append(LayerBlob(path, layer.name, layer.diff_id, listed.size, listed.media_type or ""))
    return tuple(found)


def _copy(layer: Layer, path: Path, where: str) -> None:
    algorithm = layer.name.partition(":")[0]
    wanted = layer.descriptor.size if layer.descriptor else 0
    found, size = hashlib.new(algorithm), 0
    try:
        with layer.open() as blob, path.open("wb") as out:
            while piece := blob.read(_PIECE):
                size += len(piece)
                if size > wanted:
                    break
                found.update(piece)
                out.write(piece)
    except OSError as error:
        raise GeneratorError(f"{where}: cannot be read: {error.strerror}; hint: winscratch check-image") from error
    if size != wanted or f"{algorithm}:{found.hexdigest()}" != layer.name:
        path.unlink()
        raise GeneratorError(f"{where}: the blob has another size or digest; hint: winscratch check-image")
