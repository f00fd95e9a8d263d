# SPDX-License-Identifier: Apache-2.0
"""What each output was made from, by content hash, and what is stale, and why.

Standard library only, and little of it: the check runs on every commit of every project that has it.
pathlib and dataclasses would take as long to import as all the rest of the check does.
Hashes of text are taken with LF line ends, so that a checkout with CRLF is as fresh as any other.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import home
from .console import Verbatim, workflow_error
from .errors import GeneratorError, shorten
from .languages.table import LANGUAGES

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "output/manifest.json"
LAYERS = "generator/layers"
FORMAT = 1
TEMPORARY = ".winscratch-tmp"  # ends the name of a file that is being written

# What a layer's bytes depend on beside its specification; folders stand for all files in them.
_BLOB_INPUTS = (
    "Dockerfile.hivex",
    "generator/hivebuilder",
    "generator/hives/model.py",
    "generator/oci/blob.py",
    "generator/oci/tar.py",
    "generator/spec",
)
# What a module's text depends on beside its blob and its language's templates.
_RENDERER = "generator/languages/render.py"
_LITERALS = "generator/languages/literals.py"
_MODULE_INPUTS = (
    "generator/__init__.py",
    _LITERALS,
    "generator/languages/provenance.py",
    _RENDERER,
    "generator/languages/table.py",
)


class Output(NamedTuple):
    """One file below output/: its path, the layer it belongs to (None if shared), and the inputs it is made from.

    *language* is None and *template* empty for a blob.
    """

    path: str
    layer: str | None
    language: str | None
    template: str
    inputs: tuple[str, ...]


class Record(NamedTuple):
    """What the manifest says of an output: its hash, and the hash of each input it was made from."""

    sha256: str
    made_from: Mapping[str, str]


class Finding(NamedTuple):
    """One file that makes outputs stale: which, why, and which outputs."""

    file: str
    reason: str
    outputs: list[str]

    def __str__(self) -> str:
        others = [path for path in self.outputs if path != self.file]
        if not others:
            return f"{self.file}: {self.reason}"
        rest = f" and {len(others) - 1} more" if len(others) > 1 else ""
        return f"{self.file}: {self.reason} since {others[0]}{rest} was made"


class Tree:
    """A checkout's inputs and outputs as they are now; each file is read and hashed once."""

    def __init__(self, root: "Path | str") -> None:
        self.root = root
        self._hashes: dict[str, str | None] = {}

    def hash(self, path: str) -> str | None:
        """Return the content hash of the file *path* below the root, or None where there is no such file."""
        if path not in self._hashes:
            try:
                with open(home.path_of(self.root, path), "rb") as file:
                    self._hashes[path] = content_hash(path, file.read())
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                self._hashes[path] = None
            except OSError as error:
                raise GeneratorError(f"{path}: cannot be read: {error.strerror}") from error
        return self._hashes[path]

    def files(self, folder: str) -> list[str]:
        """Return the paths of the files in *folder* and below, sorted, without caches and hidden files."""
        found = []
        top = home.path_of(self.root, folder)
        for where, folders, names in os.walk(top, onerror=_refuse):
            folders[:] = sorted(name for name in folders if name[0] != "." and name != "__pycache__")
            base = folder + where[len(top) :].replace(os.sep, "/")
            found += [f"{base}/{name}" for name in names if name[0] != "."]
        return sorted(found)

    def layers(self) -> list[str]:
        """Return the names of the specified layers, sorted."""
        return [path[len(LAYERS) + 1 : -5] for path in self.files(LAYERS) if path.endswith(".toml")]

    def templates(self, language: str) -> list[str]:
        """Return the paths of a language's templates, sorted."""
        return self.files(f"templates/{language}")

    def template_digest(self, language: str) -> str:
        """Return the digest of all that a module's text depends on but its blob, as ``sha256:…``."""
        parts = (f"{path}\0{self.hash(path)}\n" for path in (*self.templates(language), _LITERALS, _RENDERER))
        return "sha256:" + hashlib.sha256("".join(parts).encode("utf-8")).hexdigest()

    def outputs(self) -> dict[str, Output]:
        """Return every output that there should be, by path, blobs first."""
        layers = self.layers()
        blob_inputs = [file for path in _BLOB_INPUTS for file in (self.files(path) or [path])]
        expected = [Output(blob_path(name), name, None, "", (f"{LAYERS}/{name}.toml", *blob_inputs)) for name in layers]
        for language in LANGUAGES.values():
            inputs = (*self.templates(language.name), *_MODULE_INPUTS)
            for template, path in language.shared:
                expected.append(Output(f"output/{path}", None, language.name, template, inputs))
            for name in layers:
                for template, path in language.modules:
                    made_from = (blob_path(name), *inputs)
                    expected.append(
                        Output(f"output/{path.format(name=name)}", name, language.name, template, made_from)
                    )
        return {output.path: output for output in expected}


def _refuse(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise GeneratorError(f"{error.filename}: cannot be read: {error.strerror}") from error


def blob_path(layer: str) -> str:
    """Return the path of a layer's committed blob."""
    return f"output/layers/{layer}.tar.gz"


def content_hash(path: str, data: bytes) -> str:
    """Return ``sha256:…`` of a file's content, with LF line ends unless it is a blob."""
    if not path.endswith(".gz"):
        data = data.replace(b"\r\n", b"\n")
    return "sha256:" + hashlib.sha256(data).hexdigest()


def read(root: "Path | str") -> tuple[dict[str, Record], dict[str, str], str]:
    """Return the manifest's records and tool versions, and what is wrong with the file (empty if nothing)."""
    try:
        with open(f"{root}/{MANIFEST}", "rb") as file:
            document = json.loads(file.read())
        if document["format"] != FORMAT:
            return {}, {}, f"of format {shorten(str(document['format']))}, not {FORMAT}"
        records = {path: Record(entry["sha256"], dict(entry["from"])) for path, entry in document["outputs"].items()}
        return records, dict(document["tools"]), ""
    except FileNotFoundError:
        return {}, {}, "missing"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}, {}, "damaged"
    except OSError as error:
        raise GeneratorError(f"{MANIFEST}: cannot be read: {error.strerror}") from error


def write(records: Mapping[str, Record], tools: Mapping[str, str]) -> bytes:
    """Return the manifest as the bytes of its file."""
    outputs = {path: {"from": dict(record.made_from), "sha256": record.sha256} for path, record in records.items()}
    document = {"format": FORMAT, "outputs": outputs, "tools": dict(tools)}
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode("utf-8")


def record_of(tree: Tree, output: Output, sha256: str, blobs: Mapping[str, str]) -> Record:
    """Return the record of an output just made; *blobs* has the hashes of blobs that are not on disk yet."""
    return Record(sha256, {path: blobs.get(path) or tree.hash(path) or "" for path in output.inputs})


def stale(tree: Tree, expected: Mapping[str, Output], records: Mapping[str, Record]) -> list[Finding]:
    """Return what makes outputs stale, one finding a file and reason, in the order of the outputs."""
    findings: dict[tuple[str, str], Finding] = {}

    def add(file: str, reason: str, output: str) -> None:
        findings.setdefault((file, reason), Finding(file, reason, [])).outputs.append(output)

    for path, output in expected.items():
        record = records.get(path)
        found = tree.hash(path)
        if record is None:
            add(path, "not generated yet" if found is None else "not in the manifest", path)
            continue
        for file, reason in changes(tree, output, record):
            add(file, reason, path)
        if found != record.sha256:
            add(path, _output_state(f"{tree.root}/{path}", found), path)
    left = leftovers(tree, expected)
    for path in left:
        add(path, "left over: no layer or template makes it", path)
    # A run that died between removing files and forgetting them leaves such records.
    for path in sorted({*records} - {*expected, *left}):
        add(path, "in the manifest still: no layer or template makes it", path)
    return list(findings.values())


def changes(tree: Tree, output: Output, record: Record) -> Iterator[tuple[str, str]]:
    """Yield each input that is not what *output* was made from, and how it differs."""
    for file in sorted({*output.inputs, *record.made_from}):
        then, now = record.made_from.get(file), tree.hash(file) if file in output.inputs else None
        if then != now:
            yield file, "added" if then is None else "removed" if now is None else "changed"


def _output_state(path: str, found: str | None) -> str:
    if found is not None:
        return "edited by hand, or half written"
    return "a directory stands in its place" if os.path.isdir(path) else "deleted"


def leftovers(tree: Tree, expected: Iterable[str]) -> list[str]:
    """Return the paths of files below output/ that nothing makes; what the manifest may name elsewhere is not ours."""
    return sorted({*tree.files("output")} - {*expected, MANIFEST})


def report(findings: list[Finding], damage: str, as_json: bool, environment: Mapping[str, str]) -> list[str]:
    """Return the lines that tell a person, a machine or GitHub's workflow commands what is stale."""
    if damage:
        findings = [Finding(MANIFEST, damage, []), *findings]
    mend = "./invokew generate"
    if as_json:
        document: dict[str, Any] = {
            "fresh": not findings,
            "findings": [{"file": f.file, "reason": f.reason, "outputs": f.outputs} for f in findings],
            "mend": mend if findings else None,
        }
        return [Verbatim(json.dumps(document, indent=2))]
    if not findings:
        return ["fresh: every output is what its inputs make"]
    lines = [f"stale: {finding}" for finding in findings]
    if environment.get("GITHUB_ACTIONS") == "true":
        lines += [workflow_error(f.file, f"{f}; run {mend}") for f in findings]
    return [*lines, f"to mend: {mend}"]
