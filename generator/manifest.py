# SPDX-License-Identifier: Apache-2.0
"""What the committed outputs were made from, by content hash: the quick half of the staleness check.

The manifest holds the hash of every file that takes part and of every output. Where all of them are as it
says, nothing has changed since and nothing needs to be made to know it. Standard library only, and little of
it: this runs on every commit, and pathlib and dataclasses would take as long to import as the rest takes.
Hashes of text are taken with LF line ends, so that a checkout with CRLF is as fresh as any other.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import home
from .console import json_document, workflow_error
from .errors import GeneratorError, brief
from .files import TEMPORARY, read_file

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "output/manifest.json"
REPORT = "docs/report.html"
MAPS = ("docs/byte-map-light.svg", "docs/byte-map-dark.svg")
LAYERS = "generator/layers"
FORMAT = 2
MOST = 10  # changed inputs that are named; more tell nobody more

_INPUT_FOLDERS = ("generator", "templates")
_DOCUMENTS = (REPORT, *MAPS)  # outputs that stand among documents
_INPUT_FILES = (".gitignore", "Dockerfile.hivex", "requirements.lock")
_LINK = "a symbolic link; put the file itself here"


class Seen(NamedTuple):
    """A checkout as it is now: the content hash of each input and output by path, and what should not be there."""

    inputs: dict[str, str]
    outputs: dict[str, str]
    strange: "list[Finding]"


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
    seen = Seen({}, {}, [])
    for path in (*_INPUT_FOLDERS, *_INPUT_FILES, "output", *_DOCUMENTS):
        if os.path.islink(f"{root}/{path}"):
            seen.strange.append(Finding(path, _LINK))
        elif path in _INPUT_FILES or path in _DOCUMENTS:
            if os.path.lexists(f"{root}/{path}"):
                hashes = seen.inputs if path in _INPUT_FILES else seen.outputs
                hashes[path] = content_hash(path, read_file(f"{root}/{path}", path))
        else:
            _walk(str(root), path, seen.outputs if path == "output" else seen.inputs, seen)
    seen.outputs.pop(MANIFEST, None)
    return seen


def _walk(root: str, folder: str, hashes: dict[str, str], seen: Seen) -> None:
    """Hash the files of *folder* and below; folders that are links are not entered."""
    try:
        with os.scandir(f"{root}/{folder}") as scan:
            entries = list(scan)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise GeneratorError(f"{folder}: cannot be read: {error.strerror}") from error
    top = folder.partition("/")[0]
    for entry in entries:
        path = f"{folder}/{entry.name}"
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.is_symlink():
            seen.strange.append(Finding(path, _LINK))
        elif entry.name == "__pycache__" and is_folder and top != "templates" and folder != LAYERS:
            if top == "output":
                _check_bytecode(root, path, {name.name for name in entries}, seen)
        elif top == "output" and entry.name[0] == "." and entry.name.endswith(TEMPORARY) and not is_folder:
            seen.strange.append(Finding(path, "left half written by a run that was killed"))
        elif entry.name[0] == "." or entry.name == "__pycache__":
            seen.strange.append(Finding(path, "a hidden file or folder; remove it, or take the dot from its name"))
        elif folder == LAYERS and (is_folder or not entry.name.endswith(".toml")):
            seen.strange.append(Finding(path, f"not a specification; {LAYERS} holds files NAME.toml alone"))
        elif is_folder:
            _walk(root, path, hashes, seen)
        else:
            hashes[path] = content_hash(path, read_file(entry.path, path))


def _check_bytecode(root: str, folder: str, sources: set[str], seen: Seen) -> None:
    """Find what is in a ``__pycache__`` beside the bytecode of *sources*, which importing a module leaves there."""
    for name in sorted(os.listdir(f"{root}/{folder}")):
        path = f"{folder}/{name}"
        if os.path.islink(f"{root}/{path}"):
            seen.strange.append(Finding(path, _LINK))
        elif not (name.endswith(".pyc") and name.partition(".")[0] + ".py" in sources):
            seen.strange.append(Finding(path, "bytecode without a source; remove it"))
        elif read_file(f"{root}/{path}", path)[4:8] != bytes(4):  # its flags: imports leave what goes by time and size
            seen.strange.append(Finding(path, "bytecode that Python would run whatever its source holds; remove it"))


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


def content_hash(path: str, data: bytes) -> str:
    """Return ``sha256:…`` of a file's content, with LF line ends unless it is a blob."""
    if not path.endswith(".gz"):
        data = data.replace(b"\r\n", b"\n")
    return "sha256:" + hashlib.sha256(data).hexdigest()


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


def write(record: Record) -> bytes:
    """Return the manifest as the bytes of its file."""
    document = {"format": FORMAT, **record._asdict()}
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode("utf-8")


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
            found.append(Finding(path, "left over: no layer or template makes it" if then is None else why))
    return found


def report(findings: list[Finding], because: list[Finding], as_json: bool, environment: Mapping[str, str]) -> list[str]:
    """Return the lines that tell a person, a machine or GitHub's workflow commands what is stale.

    *because* are the inputs that changed since the outputs were made.
    """
    fix = "./invokew generate"
    if as_json:
        document: dict[str, Any] = {
            "fresh": not findings,
            "findings": [finding._asdict() for finding in findings],
            "changed": [finding._asdict() for finding in because] if findings else [],
            "fix": fix if findings else None,
        }
        return [json_document(document)]
    if not findings:
        return ["fresh: every output is what its inputs make"]
    lines = [f"stale: {finding}" for finding in findings]
    lines += [f"changed since: {finding}" for finding in because[:MOST]]
    if len(because) > MOST:
        lines.append(f"changed since: {len(because) - MOST} more files")
    if environment.get("GITHUB_ACTIONS") == "true":
        lines += [workflow_error(finding.file, f"{finding}; run {fix}") for finding in findings]
    return [*lines, f"to fix: {fix}"]
