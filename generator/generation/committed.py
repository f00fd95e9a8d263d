# SPDX-License-Identifier: Apache-2.0
"""The committed layers: the blobs below output/layers, in a checkout or installed, checked against the manifest."""

from collections.abc import Iterable
from pathlib import Path

from ..base import home
from ..base.errors import GeneratorError
from ..base.reading import read_file
from ..oci import blob as layers
from . import manifest, unchanged
from .manifest import blob_path


def committed_blob(root: Path, layer: str, others: Iterable[str] = ()) -> layers.Blob:
    """Return the committed blob of *layer*; raises GeneratorError if it is unknown, missing or damaged.

    *others* are further names that the user could have meant, for the error.
    """
    if layer not in manifest.layers(root):
        raise GeneratorError(f"{layer}: unknown layer; hint: use one of {', '.join((*manifest.layers(root), *others))}")
    path = blob_path(layer)
    try:
        data = read_file(root / path, path)
    except GeneratorError:
        data = b""
    if unchanged.content_hash(path, data) != manifest.read(root)[0].outputs.get(path):
        raise GeneratorError(f"{path}: missing or not as {unchanged.MANIFEST} records it; hint: {home.RENEW}")
    return layers.read_blob(data, path)
