# SPDX-License-Identifier: Apache-2.0
"""Compare the outputs of a checkout with outputs made anew, and name the reason of each difference."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import manifest
from .manifest import Finding, Record, Seen
from .unchanged import MANIFEST, content_hash

if TYPE_CHECKING:
    from pathlib import Path


def compare(root: "Path", seen: Seen, record: Record, damage: str, made: Mapping[str, bytes]) -> list[Finding]:
    """Return a finding for each output below *root* that differs from *made*, and for each unexpected file.

    *damage* is the reason if the manifest cannot be used, else "".
    """
    findings = [Finding(MANIFEST, damage)] if damage else []
    findings += seen.strange
    for path, data in made.items():
        found = seen.outputs.get(path)
        if found != content_hash(path, data):
            findings.append(Finding(path, _reason(root, path, found, record)))
    for path in sorted(seen.outputs.keys() - made.keys()):
        reason = "left over: no layer or template makes it" if is_ours(root, path, seen, record) else manifest.STRANGE
        findings.append(Finding(path, reason))
    return findings


def is_ours(root: "Path", path: str, seen: Seen, record: Record) -> bool:
    """Return True if some run of this program made the left-over output at *path*."""
    return seen.outputs[path] == record.outputs.get(path) or _is_sealed(root / path)


def _reason(root: "Path", path: str, found: str | None, record: Record) -> str:
    """Return the reason why an output differs; *found* is its hash, None if it is not a file."""
    if found is None:
        if (root / path).is_dir():
            return "a directory in its place"
        return "deleted" if path in record.outputs else "not generated yet"
    if found == record.outputs.get(path) or _is_sealed(root / path):
        return "not what its sources make"
    return "edited by hand, or half written"


def _is_sealed(file: "Path") -> bool:
    """Return True if a module's own hash matches, so that nobody edited it."""
    from ..languages import provenance

    found = provenance.read(file.read_bytes().decode("utf-8", "surrogateescape"))
    return found is not None and found[1]
