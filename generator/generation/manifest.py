# SPDX-License-Identifier: Apache-2.0
"""What the committed outputs were made from, by content hash, and what differs from that."""

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

STRANGE = "not made here; move it out of output/, which holds generated files only"
# Why a clone would not have a file as it is here.
IGNORED = "ignored by git, so that no clone has it"
UNTRACKED = "untracked, so that no clone has it: git add it"
OTHER = "not as git tracks it, so that a clone has other content: git add it, or take away what rewrites it"
REMOVED = "tracked by git but not here, so that a clone has it: git rm it"
REWRITTEN = "rewritten by git; remove this attribute:"
BY_HAND = (STRANGE, IGNORED, UNTRACKED, OTHER, REMOVED, REWRITTEN)  # what generate does not mend
MOST = 10  # changed inputs that are named; more tell nobody more


class Seen(NamedTuple):
    """A checkout as it is now: the content hash of each input and output by path, and what should not be there.

    *ids* are the digests that git may have of each, and of the manifest.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    strange: "list[Finding]"
    ids: unchanged.Ids


class Record(NamedTuple):
    """What the manifest says: the hash of each input and output by path, and the jinja2 version that rendered."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    jinja2: str


class Finding(NamedTuple):
    """One file that is not as it should be, and why."""

    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


def look(root: "Path | str") -> Seen:
    """Return what is below *root*; raises GeneratorError for what cannot be read, or is no file to be read at all."""
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
    """Return what the manifest says, and what is wrong with the file (empty if nothing)."""
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


def changed(record: Record, seen: Seen) -> list[Finding]:
    """Return the inputs that are not as the manifest has them, sorted."""
    found = []
    for path in sorted(record.inputs.keys() | seen.inputs.keys()):
        then, now = record.inputs.get(path), seen.inputs.get(path)
        if then != now:
            found.append(Finding(path, "added" if then is None else "removed" if now is None else "changed"))
    return found


def differing(record: Record, seen: Seen) -> list[Finding]:
    """Return the outputs that are not as the manifest has them, sorted."""
    found = []
    for path in sorted(record.outputs.keys() | seen.outputs.keys()):
        then, now = record.outputs.get(path), seen.outputs.get(path)
        if then != now:
            why = "deleted" if now is None else "edited by hand, or half written"
            found.append(Finding(path, STRANGE if then is None else why))
    return found


def report(findings: list[Finding], because: list[Finding], as_json: bool, environment: Mapping[str, str]) -> list[str]:
    """Return the lines that tell a person, a machine or GitHub's workflow commands what is stale.

    *because* are the inputs that changed since the outputs were made.
    """
    generate = "./invokew generate"
    made = [finding for finding in findings if not finding.reason.startswith(BY_HAND)]
    fix = generate if made else None
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
    lines += [f"changed since: {finding}" for finding in because[:MOST]]
    if len(because) > MOST:
        lines.append(f"changed since: {len(because) - MOST} more files")
    if environment.get("GITHUB_ACTIONS") == "true":
        lines += [
            workflow_error(finding.file, f"{finding}; run {generate}" if finding in made else str(finding))
            for finding in findings
        ]
    return [*lines, f"to fix: {fix}"] if fix else lines
