# SPDX-License-Identifier: Apache-2.0
"""Base layers that are known by their diff IDs: the committed ones, and imgutil's."""

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..base import home
from ..generation import manifest
from ..generation.committed import committed_blob
from ..image.assemble import Layers, PlatformImage, assemble
from ..image.config import BASE_DIGEST
from ..image.model import GZIP, LayerBlob
from ..image.options import Options, epoch
from ..imageread.references import Platform

Json = dict[str, Any]
IMGUTIL: Final = "imgutil"
_IMGUTIL: Final = "sha256:067833dadeca9180bb71a211248cbc0f6ada05499bfdef07dfb04e2eb96e7c82"
"""github.com/buildpacks/imgutil layer/windows_baselayer.go, WindowsBaseLayer()."""


class Below(NamedTuple):
    """A base for one platform: *name* for lines, *config* as it stands, *annotations* of images on it, *layers*."""

    name: str
    config: Json
    diff_ids: tuple[str, ...]
    annotations: dict[str, str]
    layers: tuple[LayerBlob, ...] = ()


def is_ours(name: str) -> bool:
    """Return whether *name* is a committed base layer."""
    return name in manifest.layers(Path(home.ROOT))


def ours(name: str, architecture: str, folder: Path) -> Below:
    """Return a committed base layer as it is made for any version of Windows, with its blob in *folder*."""
    blob = committed_blob(Path(home.ROOT), name)
    path = folder / f"base-{name}"
    path.write_bytes(blob.compressed)
    layer = LayerBlob(path, blob.digest, blob.diff_id, len(blob.compressed), GZIP)
    alone = PlatformImage(Platform(architecture), Options(layer=name), Layers(layer))
    image = assemble([alone], epoch({}))
    config = json.loads(image.variants[0].config.data)
    return Below(name, config, (blob.diff_id,), {BASE_DIGEST: image.top.digest}, (layer,))


def known(diff_ids: tuple[str, ...]) -> str:
    """Return the name of the known base layer that is the lowest of *diff_ids*, or nothing."""
    for name in manifest.layers(Path(home.ROOT)):
        if committed_blob(Path(home.ROOT), name).diff_id == diff_ids[0]:
            return name
    return IMGUTIL if diff_ids[0] == _IMGUTIL else ""
