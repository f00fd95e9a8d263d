# SPDX-License-Identifier: Apache-2.0
"""Find the base of an image's new layers: a winscratch base layer, or another image."""

import contextlib
import functools
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..base import home
from ..generation.committed import committed_blob
from ..imageread.images import unpack
from ..imageread.references import Destination, Platform
from ..imageread.untar import ByteStream
from ..oci.blob import Blob
from . import transfer
from .base import Base, resolve
from .entrypoint import WITHOUT_WINDOWS
from .model import GZIP, LayerBlob
from .options import Options
from .places import refuse_foreign


class Below(NamedTuple):
    """The base for one platform; *tars* opens the tars of its layers, to resolve symlinks that lead into them.

    *complete* is true if *tars* has every layer of *base*.
    """

    base: LayerBlob | Base
    tars: tuple[Callable[[], ByteStream], ...]
    complete: bool = True


def own_base(layer: str, work: Path) -> Below:
    """Return the winscratch base layer called *layer*; its blob is written to the directory *work*."""
    base = committed_blob(Path(home.ROOT), layer)
    blob = own_layer(base, work)
    return Below(blob, (lambda: io.BytesIO(base.tar),))


def own_layer(base: Blob, work: Path) -> LayerBlob:
    """Write the blob *base* to the directory *work*; return it as a layer."""
    path = work / "base"
    path.write_bytes(base.compressed)
    return LayerBlob(path, base.digest, base.diff_id, len(base.compressed), GZIP)


def find_bases(
    options: Options,
    platforms: Sequence[Platform],
    destinations: Sequence[Destination],
    stack: contextlib.ExitStack,
    work: Path,
) -> dict[Platform, Below]:
    """Return the image that *options* names as base, for each of *platforms*, or for its only one if that is empty.

    The bases stay open until *stack* is closed, *work* is a private directory. Raises GeneratorError if a platform has
    no base, or if a destination cannot hold the base's layers.
    """
    own = {committed_blob(Path(home.ROOT), name).diff_id: name for name in ("hostprocess", *WITHOUT_WINDOWS)}
    found = resolve(options.base, platforms, stack, work, plain=options.plain_http)
    found = [
        base._replace(kind="bare" if own[lowest] in WITHOUT_WINDOWS else "hostprocess")
        if (lowest := base.layers[0].diff_id) in own
        else base
        for base in found
    ]
    layers = [layer for base in found for layer in base.layers]
    refuse_foreign(destinations, layers)
    foreign = any(layer.foreign for layer in layers)
    at_hand = found[0].lookup.reference is None or any(each.path for each in destinations)
    below = [Below(base, _tars(base) if at_hand else (), complete=at_hand and not foreign) for base in found]
    return dict(zip(platforms or [found[0].platform], below, strict=True))


def _tars(base: Base) -> tuple[Callable[[], ByteStream], ...]:
    """Return a function for each layer of *base* that fetches it and opens its tar; foreign layers have none."""

    def opened(blob: LayerBlob) -> ByteStream:
        transfer.fetch([blob])
        return unpack(io.BufferedReader(io.FileIO(blob.path)))[1]

    return tuple(functools.partial(opened, blob) for blob in base.layers if not blob.foreign)
