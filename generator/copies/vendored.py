# SPDX-License-Identifier: Apache-2.0
"""The copies of our modules in other projects: where they are, whether they are fresh, and making them so.

Standard library only, but for ``--update``: a copy is judged by the digests that it records, so nothing
is rendered to compare it with.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .. import VERSION, console, files
from ..console import Say, Verbatim, workflow_error
from ..errors import EXIT_OK, EXIT_STALE, GeneratorError
from ..languages import provenance
from ..languages.table import LANGUAGES
from ..manifest import Tree
from ..oci.blob import Blob
from . import vendor
from .find import find

FRESH, OUTDATED, EDITED, UNKNOWN, NEWER = "fresh", "outdated", "edited by hand", "unknown layer", "newer version"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that was found: its path as the user knows it, its state, and what brought that about.

    *layer* and *language* are empty where the copy's line is damaged; *made_from* is None then too.
    """

    path: str
    layer: str
    language: str
    state: str
    detail: str = ""
    made_from: provenance.Provenance | None = None

    def __str__(self) -> str:
        what = f" ({self.language}, {self.layer})" if self.language else ""
        return f"{self.state}: {self.path}{what}{': ' if self.detail else ''}{self.detail}"


class Catalogue:
    """What copies are compared with; each blob and template is read once, and only if a copy needs it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layers = frozenset(Tree(root).layers())
        self._tree = Tree(root)
        self._blobs: dict[str, Blob] = {}

    def blob(self, layer: str) -> Blob:
        """Return the committed blob of *layer*; raises GeneratorError where it is damaged."""
        if layer not in self._blobs:
            self._blobs[layer] = vendor.committed_blob(self.root, layer)
        return self._blobs[layer]

    def template(self, language: str) -> str:
        """Return the digest of what a module in *language* depends on beside its blob."""
        return self._tree.template_digest(language)


def check(
    root: Path,
    paths: Iterable[str],
    *,
    as_json: bool,
    say: Say = console.say,
    note: Say = console.note,
    update: bool = False,
    force: bool = False,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Say in what state the copies at and below *paths* are; return 0 if all are fresh, else 1.

    *update* makes outdated copies anew first, and with *force* those that were edited. Raises
    GeneratorError for a path that is not there and for what cannot be read or written.
    """
    if force and not update:
        raise GeneratorError("--force: means nothing without --update")
    catalogue = Catalogue(root)
    copies = [judge(path, catalogue) for path in find(paths)]
    found = [copy for copy in copies if copy is not None]
    if update:
        found = _update(found, catalogue, force, note)
    for line in report(found, as_json, os.environ if environment is None else environment):
        say(line)
    return EXIT_OK if all(copy.state == FRESH for copy in found) else EXIT_STALE


def report(copies: list[Copy], as_json: bool, environment: Mapping[str, str]) -> list[str]:
    """Return the lines that tell a person, a machine or GitHub's workflow commands of the copies."""
    if as_json:
        keys = ("path", "layer", "language", "state", "detail")
        return [Verbatim(json.dumps([{key: getattr(copy, key) for key in keys} for copy in copies], indent=2))]
    if not copies:
        return ["no copies found"]
    lines = [str(copy) for copy in copies]
    stale = [copy for copy in copies if copy.state != FRESH]
    if environment.get("GITHUB_ACTIONS") == "true":
        lines += [workflow_error(copy.path, str(copy)) for copy in stale]
    states = {copy.state for copy in stale}
    if OUTDATED in states:
        lines.append("to mend: invoke vendored --update PATH")
    if EDITED in states:
        lines.append("to mend, and lose the edits: invoke vendored --update --force PATH")
    if states & {UNKNOWN, NEWER}:
        lines.append("to mend: use the winscratch that made the copy, or a later one")
    return lines


def judge(path: str, catalogue: Catalogue) -> Copy | None:
    """Return the copy at *path* and its state, or None where there is none; raises GeneratorError if unreadable."""
    try:
        text = Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise GeneratorError(f"{path}: cannot be read: {error.strerror}") from error
    fields = provenance.recorded(text)
    if fields is None:
        return None
    version = fields.get("version")
    newer = f"made by {version}, this is {VERSION}" if isinstance(version, str) and _is_newer(version) else ""
    found = provenance.read(text)
    if found is None:
        # A later version may record what this one does not know.
        return Copy(path, "", "", NEWER if newer else EDITED, newer or "its winscratch line is damaged")
    made_from, intact = found
    state, detail = _state(made_from, intact, newer, catalogue)
    return Copy(path, made_from.layer, made_from.language, state, detail, made_from)


def _state(made_from: provenance.Provenance, intact: bool, newer: str, catalogue: Catalogue) -> tuple[str, str]:
    """Return state and detail: first what must not be overwritten, then what this version cannot judge."""
    if not intact:
        return EDITED, ""
    if newer:
        return NEWER, newer
    if not _is_known(made_from, catalogue):
        return UNKNOWN, "not in this winscratch"
    blob = catalogue.blob(made_from.layer)
    bytes_differ = (made_from.digest, made_from.diff_id) != (blob.digest, blob.diff_id)
    text_differs = made_from.template != catalogue.template(made_from.language)
    if bytes_differ:
        return OUTDATED, "layer bytes and template changed" if text_differs else "layer bytes changed"
    return (OUTDATED, "template only changed") if text_differs else (FRESH, "")


def _is_known(made_from: provenance.Provenance, catalogue: Catalogue) -> bool:
    language = LANGUAGES.get(made_from.language)
    files_of = dict(language.modules) if language else {}
    return made_from.layer in catalogue.layers and made_from.file in files_of


def _is_newer(version: str) -> bool:
    """Tell whether *version* is after this one; one that is not numbers and dots is of a time to come."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})*", version):
        return True
    return [int(part) for part in version.split(".")] > [int(part) for part in VERSION.split(".")]


def _update(copies: list[Copy], catalogue: Catalogue, force: bool, note: Say) -> list[Copy]:
    """Make anew what is outdated, and the other half of it where that is one of two files."""
    results = {copy.path: copy for copy in copies}
    done: set[str] = set()
    for copy in copies:
        if copy.path not in done and _may_write(copy, catalogue, force):
            group = [copy.path, *_other_halves(copy)]
            done.update(group)
            results |= {made.path: made for made in _make(group, catalogue, force, note)}
    return [results[path] for path in sorted(results)]


def _may_write(copy: Copy, catalogue: Catalogue, force: bool) -> bool:
    made_from = copy.made_from
    if copy.state == EDITED and force and made_from is not None:
        return _is_known(made_from, catalogue) and not _is_newer(made_from.version)
    return copy.state == OUTDATED


def _other_halves(copy: Copy) -> Iterator[str]:
    """Yield the files beside a copy that were made with it: C has a header and a source file."""
    own = Path(copy.path)
    for file, _ in LANGUAGES[copy.language].modules:
        path = own.with_suffix(Path(file.removesuffix(".jinja")).suffix)
        if path != own and path.is_file():
            yield str(path)


def _make(paths: list[str], catalogue: Catalogue, force: bool, note: Say) -> list[Copy]:
    """Write the copies at *paths* anew, all or none of them, and return them as they are then."""
    try:
        with files.lock(Path(os.path.realpath(paths[0])).parent, note):
            copies = [copy for copy in (judge(path, catalogue) for path in paths) if copy is not None]
            kept = [copy for copy in copies if copy.state != FRESH and not _may_write(copy, catalogue, force)]
            if kept:
                # Half of a pair would not fit the other half.
                reason = f"; not updated, for {kept[0].path} is: {kept[0].state}"
                return [copy if copy in kept else replace(copy, detail=copy.detail + reason) for copy in copies]
            changed = [copy for copy in copies if copy.state != FRESH]
            vendor.write([_change(copy, catalogue) for copy in changed])
    except OSError as error:
        raise GeneratorError(f"{error.filename or paths[0]}: {error.strerror}") from error
    return [replace(copy, state=FRESH, detail="updated") if copy in changed else copy for copy in copies]


def _change(copy: Copy, catalogue: Catalogue) -> vendor.Change:
    made_from = copy.made_from
    assert made_from is not None  # noqa: S101 - only such may be written
    try:
        vendor.check_options(made_from.language, made_from.options)
    except GeneratorError as error:
        raise GeneratorError(f"{copy.path}: its winscratch line holds a wrong name: {error}") from error
    blob = catalogue.blob(made_from.layer)
    text = vendor.render(catalogue.root, made_from.language, made_from.layer, made_from.file, made_from.options, blob)
    return vendor.Change(Path(copy.path), None, text)
