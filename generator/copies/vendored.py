# SPDX-License-Identifier: Apache-2.0
"""The copies of our modules in other projects: where they are, whether they are fresh, and making them so.

A copy is fresh if it is what rendering makes now with the copy's own options, its line and line ends apart. The
line, which names the version that made it, tells only what a copy that is not fresh is.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .. import VERSION, console, files, manifest
from ..console import Say, Verbatim, workflow_error
from ..errors import EXIT_OK, EXIT_STALE, GeneratorError
from ..languages import provenance
from ..languages.language import LAYER
from ..languages.table import LANGUAGES
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
    """What copies are compared with; each blob is read once, and only if a copy needs it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layers = frozenset(manifest.layers(root))
        self._blobs: dict[tuple[str, str], Blob | None] = {}

    def blob(self, language: str, layer: str) -> Blob | None:
        """Return the committed blob that a module embeds, if any; raises GeneratorError where it is damaged."""
        key = language, layer
        if key not in self._blobs:
            self._blobs[key] = vendor.embedded(self.root, language, layer)
        return self._blobs[key]

    def render(self, made_from: provenance.Provenance) -> str:
        """Return the copy as it would be made now, with its own options, which have been checked."""
        language, layer = made_from.language, made_from.layer
        return vendor.render(self.root, language, layer, made_from.file, made_from.options, self.blob(language, layer))


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
    state, detail = _state(text, made_from, intact, newer, catalogue)
    return Copy(path, made_from.layer, made_from.language, state, detail, made_from)


def _state(
    text: str, made_from: provenance.Provenance, intact: bool, newer: str, catalogue: Catalogue
) -> tuple[str, str]:
    """Return state and detail: the text decides whether a copy is fresh, its line what it is otherwise."""
    now = ""
    if _is_known(made_from, catalogue):
        try:
            LANGUAGES[made_from.language].check_options(made_from.options)
        except GeneratorError as error:
            return EDITED, f"its winscratch line holds a wrong name: {error}"
        now = catalogue.render(made_from)
    if now and provenance.body(text) == provenance.body(now):
        return FRESH, ""
    if not intact:
        return EDITED, ""
    if newer:
        return NEWER, newer
    if not now:
        return UNKNOWN, "not in this winscratch"
    blob = catalogue.blob(made_from.language, made_from.layer)
    same_bytes = (made_from.digest, made_from.diff_id) == ((blob.digest, blob.diff_id) if blob else ("", ""))
    return OUTDATED, "template only changed" if same_bytes else "layer bytes changed"


def _is_known(made_from: provenance.Provenance, catalogue: Catalogue) -> bool:
    language = LANGUAGES.get(made_from.language)
    if language is None or made_from.file not in language.endings(made_from.layer):
        return False
    return made_from.layer in catalogue.layers or language.kind(made_from.layer) != LAYER


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
    endings = LANGUAGES[copy.language].endings(copy.layer)
    stem = own.name.removesuffix(endings[copy.made_from.file] if copy.made_from else "")
    for ending in endings.values():
        path = own.with_name(stem + ending)
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
    assert copy.made_from is not None  # noqa: S101 - only such may be written
    return vendor.Change(Path(copy.path), None, catalogue.render(copy.made_from))
