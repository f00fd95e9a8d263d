# SPDX-License-Identifier: Apache-2.0
"""Files and folders to the layers of an image."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..console import Say
from .compress import LEVELS, MEMBER, Blobber, member
from .entries import write_layer
from .model import Blob, LayerOptions, Source
from .progress import Progress, hidden
from .sources import Entry, collect, refuse_inside


def make_layers(
    sources: Sequence[Source],
    options: LayerOptions,
    work: Path,
    *,
    one_layer: bool,
    note: Say,
    progress: Progress = hidden,
) -> list[Blob]:
    """Return the layers of *sources*, one each or *one_layer* of all, written to new files in the folder *work*.

    The blobs depend on the content and names of the files and on *options* alone. *note* is told in one line
    each what a user has to know. Raises GeneratorError.
    """
    refuse_inside(work, sources)
    groups = [sources] if one_layer and sources else [[source] for source in sources]
    return [
        _layer(collect(group, options.exclude, note), options, work / f"layer-{number}", progress)
        for number, group in enumerate(groups, 1)
    ]


def _layer(entries: Sequence[Entry], options: LayerOptions, path: Path, progress: Progress) -> Blob:
    level = LEVELS[options.compression]
    total = sum(entry.stamp.size for entry in entries if entry.kind == "file" and entry.stamp)
    with (
        progress("making a layer", total) as advance,
        Blobber(path, partial(member, level=level) if level else None, advance) as out,
    ):
        write_layer(entries, options, out, MEMBER)
        return out.finish()
