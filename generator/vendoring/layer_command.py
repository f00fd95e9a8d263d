# SPDX-License-Identifier: Apache-2.0
"""Write a committed layer, its blob, BCD store or digests to standard output."""

from collections.abc import Sequence
from pathlib import Path

from ..base.console import json_document, say, say_bytes
from ..base.errors import EXIT_OK, GeneratorError
from ..generation.committed import committed_blob
from ..oci.blob import MEDIA_TYPE


def show(root: Path, name: str, parts: Sequence[str]) -> int:
    """Write one part of layer *name* to standard output; return 0.

    *parts* has one item: ``tar``, ``blob``, ``bcd`` or ``info``. Raises GeneratorError if it has another number of
    items, if the layer is unknown or lacks the part, and if bytes would go to a terminal.
    """
    blob = committed_blob(root, name)
    if len(parts) != 1:
        raise GeneratorError("layer: give exactly one of --tar, --blob, --bcd and --info")
    (part,) = parts
    if part == "info":
        # The same fields as those of the --info option of a Python module.
        fields = {"name": name, "mediaType": MEDIA_TYPE, "diffID": blob.diff_id, "digest": blob.digest}
        say(json_document(fields | {"layerSize": len(blob.tar), "blobSize": len(blob.compressed)}))
    elif part == "bcd":
        if blob.bcd is None:
            raise GeneratorError(f"{name}: this layer has no BCD store; hint: leave out --bcd")
        offset, size = blob.bcd
        say_bytes(blob.tar[offset : offset + size])
    else:
        say_bytes(blob.tar if part == "tar" else blob.compressed)
    return EXIT_OK
