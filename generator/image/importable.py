# SPDX-License-Identifier: Apache-2.0
"""Reject entries that fit into a layer's tar, but that Windows' importer, github.com/microsoft/hcsshim, refuses."""

import operator
from collections.abc import Sequence

from ..base.errors import GeneratorError, shorten
from ..oci.files import facts
from ..oci.names import MOST_CHARACTERS, MOST_ENTRIES, PLACEHOLDER, fold, units
from .sources import SourceEntry

_PATH = operator.attrgetter("path")
_DIRECTORIES = ("directory", "directory-link")
_SPLIT = "leave files out with --exclude, or give them as several sources"


def check_importable(entries: Sequence[SourceEntry]) -> None:
    """Raise GeneratorError if a layer has too many *entries*, or for the first one that Windows cannot import."""
    limits, root = facts().limits, len(facts().users_root) + 1
    if len(entries) > MOST_ENTRIES - len(facts().roots):
        raise GeneratorError(f"image: a layer has {len(entries):,} paths, of {MOST_ENTRIES:,} at most; hint: {_SPLIT}")
    paths = [*map(_PATH, entries)]
    if sum(map(len, paths)) + root * len(paths) > MOST_CHARACTERS - root * 2:
        raise GeneratorError(f"image: a layer's paths have more than {MOST_CHARACTERS:,} characters; hint: {_SPLIT}")
    short = (limits.part - len(PLACEHOLDER)) // 2  # characters, each at most two UTF-16 units
    if max(map(len, paths), default=0) > short:
        for entry in entries:
            if len(entry.path) > short and (reason := _too_long(entry)):
                raise _refused(entry, reason)
    mark = fold(PLACEHOLDER)
    if f"{mark[-1]}\n" in "\n".join([*paths, ""]):
        directories = {fold(entry.path) for entry in entries if entry.kind in _DIRECTORIES}
        for entry in entries:
            if (name := fold(entry.path)).endswith(mark) and name.removesuffix(mark) in directories:
                raise _refused(entry, f"Windows writes a file of that name beside each directory of a layer ({mark})")


def _too_long(entry: SourceEntry) -> str:
    """Return why Windows cannot import an entry with so long a path, or an empty string; facts() has the sources."""
    limits = facts().limits
    if entry.kind in _DIRECTORIES and units(entry.path.rpartition("/")[2]) > limits.directory:
        beside = f"Windows writes a file NAME{PLACEHOLDER} beside each directory of a layer"
        return f"the name is longer than {limits.directory} UTF-16 units, since {beside}"
    most = limits.path - len(facts().users_root) - 1
    if len(entry.path) > most // 2 and units(entry.path) > most:
        return f"the path is longer than {most:,} UTF-16 units"
    return ""


def _refused(entry: SourceEntry, reason: str) -> GeneratorError:
    return GeneratorError(
        f"{shorten(entry.source or 'C:/' + entry.path, 200)}: {reason}; hint: rename it, or leave it out with --exclude"
    )
