# SPDX-License-Identifier: Apache-2.0
"""Files and folders to the layers of an image."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..console import Say
from .compress import LEVELS, MEMBER, Blobber, member
from .entries import write_layer
from .model import Blob, LayerOptions, Source
from .sources import Entry, collect, refuse_inside


def make_layers(
    sources: Sequence[Source], options: LayerOptions, work: Path, *, one_layer: bool, note: Say
) -> list[Blob]:
    """Return the layers of *sources*, one each or *one_layer* of all, written to new files in the folder *work*.

    The blobs depend on the content and names of the files and on *options* alone. *note* is told in one line
    each what a user has to know. Raises GeneratorError.
    """
    refuse_inside(work, sources)
    groups = [sources] if one_layer and sources else [[source] for source in sources]
    return [
        _layer(collect(group, options.exclude, note), options, work / f"layer-{number}")
        for number, group in enumerate(groups, 1)
    ]


def _layer(entries: Sequence[Entry], options: LayerOptions, path: Path) -> Blob:
    level = LEVELS[options.compression]
    with Blobber(path, partial(member, level=level) if level else None) as out:
        write_layer(entries, options, out, MEMBER)
        return out.finish()
