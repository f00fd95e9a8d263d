# SPDX-License-Identifier: Apache-2.0
"""Paths in a layer that Windows and the tar format can hold."""

from collections.abc import Sequence

from ..base.errors import brief
from ..base.toml import KeyPath
from ..oci.files import facts
from ..oci.tar import MAX_NAME, MAX_PREFIX, split_name


def check_paths(paths: Sequence[str], place: KeyPath) -> None:
    """Refuse paths that Windows' case-insensitive import would reject or read as something else."""
    spellings: dict[str, str] = {}  # folded path of a directory or file -> as first written
    taken: dict[str, str] = {}  # folded path of a file -> its key
    directories: set[str] = set()
    for index, path in enumerate(paths):
        at = place.at(f"[{index}]").at("path")
        segments = path.split("/")
        for segment in segments:
            _check_segment(segment, at)
        fits = split_name(path) is not None
        parts = ["/".join(segments[:end]) for end in range(1, len(segments) + 1)] if fits else []
        if not fits or any(split_name(part) is None for part in parts):
            raise at.error(
                f"{brief(path)} or a directory on its way is too long",
                f"keep to {MAX_NAME} bytes, or {MAX_PREFIX} more in front of a slash",
            )
        folded = path.lower()
        if folded in taken:
            raise at.error(f"{brief(path)} is the file of {taken[folded]}", "name each file once, whatever the case")
        for end, part in enumerate(parts, 1):
            first = spellings.setdefault(part.lower(), part)
            if first != part:
                raise at.error(f"{brief(part)} is spelled {brief(first)} before", "spell a directory one way")
            if end < len(segments):
                directories.add(part.lower())
            if (end < len(segments) and part.lower() in taken) or (
                end == len(segments) and part.lower() in directories
            ):
                raise at.error(f"{brief(part)} is both a file and a directory", "rename one of the two")
        taken[folded] = at.key


def _check_segment(segment: str, at: KeyPath) -> None:
    names = facts().names
    stem = segment.partition(".")[0].rstrip(" ").upper()
    if segment in ("", ".", ".."):
        raise at.error(
            f"a segment of the path is {segment!r}", "use names between single slashes, no slash at the ends"
        )
    if not segment.isascii() or not segment.isprintable() or set(segment) & set(names.characters):
        raise at.error(
            f"{brief(segment)} has a character that a name cannot have",
            f"use printable ASCII without {names.characters}",
        )
    if segment[-1] in names.endings:
        raise at.error(f"{brief(segment)} ends in {segment[-1]!r}, which Windows drops", "end it otherwise")
    if stem in names.devices:
        raise at.error(f"{brief(segment)} is a device's name on Windows", "choose another")
    if segment.startswith(facts().whiteout):
        raise at.error(f"{brief(segment)} would be a whiteout", "a base layer has nothing to hide; choose another name")
