# SPDX-License-Identifier: Apache-2.0
"""Check that Windows and the tar format can hold a layer's paths."""

from collections.abc import Sequence

from ..base.errors import brief
from ..base.toml import KeyPath
from ..oci.files import facts
from ..oci.tar import MAX_NAME, MAX_PREFIX, split_name


def check_paths(paths: Sequence[str], place: KeyPath) -> None:
    """Raise GeneratorError for paths that Windows' case-insensitive import rejects or reads differently."""
    spellings: dict[str, str] = {}  # folded path of a directory or file -> first spelling
    taken: dict[str, str] = {}  # folded path of a file -> its key
    for index, path in enumerate(paths):
        at = place.at(f"[{index}]").at("path")
        segments = path.split("/")
        for segment in segments:
            _check_segment(segment, at)
        fits = split_name(path) is not None
        parts = ["/".join(segments[:end]) for end in range(1, len(segments) + 1)] if fits else []
        if not fits or any(split_name(part) is None for part in parts):
            hint = f"use at most {MAX_NAME} bytes, or {MAX_PREFIX} more before a slash"
            raise at.error(f"{brief(path)} or one of its directories is too long", hint)
        folded = path.lower()
        if folded in taken:
            problem = f"duplicate file {brief(path)} of {taken[folded]}"
            raise at.error(problem, "name each file once; case does not count")
        for part in parts:
            known = part.lower() in spellings
            if (first := spellings.setdefault(part.lower(), part)) != part:
                problem = f"{brief(part)} differs from {brief(first)} in case only"
                raise at.error(problem, "use one spelling for a directory")
            if known if part == path else part.lower() in taken:  # a known path that is not a file is a directory
                raise at.error(f"{brief(part)} is both a file and a directory", "rename one of the two")
        taken[folded] = at.key


def _check_segment(segment: str, at: KeyPath) -> None:
    names = facts().names
    stem = segment.partition(".")[0].rstrip(" ").upper()
    if segment in ("", ".", ".."):
        raise at.error(f"invalid path segment {segment!r}", "separate names by single slashes, without one at the ends")
    if not segment.isascii() or not segment.isprintable() or set(segment) & set(names.characters):
        raise at.error(f"invalid character in {brief(segment)}", f"use printable ASCII without {names.characters}")
    if segment[-1] in names.endings:
        raise at.error(f"{brief(segment)} ends in {segment[-1]!r}, which Windows drops", "use another last character")
    if stem in names.devices:
        raise at.error(f"{brief(segment)} is a reserved device name on Windows", "use another name")
    if segment.startswith(facts().whiteout):
        raise at.error(f"{brief(segment)} is a whiteout, and a base layer has nothing to hide", "use another name")
