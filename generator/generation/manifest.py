# SPDX-License-Identifier: Apache-2.0
"""Read the manifest, compare it with the checkout, and format findings for people and machines."""

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..base import home
from ..base.console import json_document, workflow_error
from ..base.errors import brief
from ..base.home import LAYERS
from ..base.reading import read_file
from . import unchanged
from .unchanged import FORMAT, FRESH, MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

STRANGE = "not generated; hint: move it out of output/"
# Why a clone would have another file.
IGNORED = "ignored by git, so clones lack it"
UNTRACKED = "untracked, so clones lack it; hint: git add it"
OTHER = "not as git tracks it, so clones have other content; hint: git add it, or remove the filter that rewrites it"
REMOVED = "tracked by git but missing here; hint: git rm it"
REWRITTEN = "rewritten by git; hint: remove this attribute:"
BY_HAND = (STRANGE, IGNORED, UNTRACKED, OTHER, REMOVED, REWRITTEN)  # generate cannot fix these
_MAX_LISTED = 10  # changed inputs


class Seen(NamedTuple):
    """A checkout now: the content hash of each input and output by path, and unexpected files.

    *ids* are the digests that git may store for each file, the manifest included.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    strange: "list[Finding]"
    ids: unchanged.Ids


class Record(NamedTuple):
    """The manifest's content: the hash of each input and output by path, and the jinja2 version that rendered."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    jinja2: str


class Finding(NamedTuple):
    """A file that is not as it should be, and the reason."""

    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


def look(root: "Path | str") -> Seen:
    """Return the files below *root*; raises GeneratorError for those that cannot be read, and pipes and devices."""
    ids: unchanged.Ids = {}
    inputs, outputs, strange = unchanged.look(str(root), ids)
    return Seen(inputs, outputs, [Finding(path, why) for path, why in strange], ids)


def layers(root: "Path | str") -> list[str]:
    """Return the names of the specified layers, sorted."""
    try:
        names = os.listdir(home.path_of(root, LAYERS))
    except FileNotFoundError:
        return []
    return sorted(name[:-5] for name in names if name.endswith(".toml") and name[0] != ".")


def blob_path(layer: str) -> str:
    """Return the path of a layer's committed blob."""
    return f"output/layers/{layer}.tar.gz"


def read(root: "Path | str") -> tuple[Record, str]:
    """Return the manifest's content, and the reason if it cannot be used, else ""."""
    nothing = Record({}, {}, "")
    if not os.path.lexists(f"{root}/{MANIFEST}"):
        return nothing, "missing"
    try:
        document = json.loads(read_file(f"{root}/{MANIFEST}", MANIFEST))
        if document["format"] != FORMAT:
            return nothing, f"of format {brief(document['format'])}, not {FORMAT}"
        record = Record(document["inputs"], document["outputs"], document["jinja2"])
        if {type(value) for part in record[:2] for value in part.values()} | {type(record.jinja2)} == {str}:
            return record, ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return nothing, "damaged"


def serialize(seen: Seen, outputs: Mapping[str, str], jinja2: str) -> bytes:
    """Return the manifest's file for the inputs *seen* and the hashes of *outputs*: sorted JSON, a line per file."""
    document = unchanged.document(seen.inputs, outputs, jinja2)
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode("ascii")


def changed(record: Record, seen: Seen) -> list[Finding]:
    """Return the inputs that differ from the manifest, sorted."""
    return _differences(record.inputs, seen.inputs, "added", "removed", "changed")


def differing(record: Record, seen: Seen) -> list[Finding]:
    """Return the outputs that differ from the manifest, sorted."""
    return _differences(record.outputs, seen.outputs, STRANGE, "deleted", "edited by hand, or half written")


def _differences(then: Mapping[str, str], now: Mapping[str, str], new: str, gone: str, other: str) -> list[Finding]:
    paths = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
    return [Finding(path, new if path not in then else gone if path not in now else other) for path in paths]


def report(findings: list[Finding], because: list[Finding], as_json: bool, environment: Mapping[str, str]) -> list[str]:
    """Return the lines that report stale files, as text, JSON or, in GitHub Actions, text and annotations.

    *because* are the inputs that changed after the outputs were made.
    """
    generate = "./invokew generate"
    fixable = [finding for finding in findings if not finding.reason.startswith(BY_HAND)]
    fix = generate if fixable else None
    if as_json:
        document: dict[str, Any] = {
            "fresh": not findings,
            "findings": [finding._asdict() for finding in findings],
            "changed": [finding._asdict() for finding in because] if findings else [],
            "fix": fix,
        }
        return [json_document(document)]
    if not findings:
        return [FRESH]
    lines = [f"stale: {finding}" for finding in findings]
    lines += [f"changed since: {finding}" for finding in because[:_MAX_LISTED]]
    if len(because) > _MAX_LISTED:
        lines.append(f"changed since: {len(because) - _MAX_LISTED} more files")
    if environment.get("GITHUB_ACTIONS") == "true":
        lines += [
            workflow_error(finding.file, f"{finding}; run {generate}" if finding in fixable else str(finding))
            for finding in findings
        ]
    return [*lines, f"to fix: {fix}"] if fix else lines
