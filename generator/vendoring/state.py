# SPDX-License-Identifier: Apache-2.0
"""Determine the state of one copy: fresh, outdated, edited and so on.

A copy is fresh if rendering it now with its own options gives the same text, except for the provenance line and line
endings. The provenance line only explains why a copy is not fresh.
"""

import re
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from .. import VERSION
from ..base.errors import GeneratorError, shorten
from ..generation import manifest
from ..languages import provenance
from ..languages.language import LAYER
from ..languages.table import LANGUAGES
from . import marks, vendor
from .find import Found

FRESH, OUTDATED, EDITED, UNKNOWN, NEWER = "fresh", "outdated", "edited by hand", "unknown layer", "newer version"
MISSING, UNPAIRED, UNLISTED, NO_COPY = "missing", "unpaired", "not listed", "no copy"
UNCHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy, its state and the reason for it.

    *layer* and *language* are empty if the provenance line is missing or damaged; *made_from* is None then too,
    and for a copy that is listed but missing. *renewable* is false for an edited copy that not even --force can
    regenerate from its provenance line.
    """

    file: Found
    layer: str
    language: str
    state: str
    detail: str = ""
    made_from: provenance.Provenance | None = None
    renewable: bool = True

    @property
    def path(self) -> str:
        """Return the copy's path as the user gave it."""
        return self.file.path

    def __str__(self) -> str:
        what = f" ({self.language}, {self.layer})" if self.language else ""
        return f"{self.state}: {self.path}{what}{': ' if self.detail else ''}{self.detail}"


class Catalogue:
    """The layers, blobs and templates that copies are compared with; each blob is read once, when needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layers = frozenset(manifest.layers(root))
        self.blob = cache(partial(vendor.embedded, root))

    def lacks(self, made_from: provenance.Provenance) -> str:
        """Return which of the language, the template and the layer of a copy is unknown here, or ""."""
        language = LANGUAGES.get(made_from.language)
        if language is None:
            return f"unknown language {made_from.language}"
        if made_from.file not in language.endings(made_from.layer):
            return f"unknown template {made_from.file} of {made_from.language}"
        known = made_from.layer in self.layers or language.kind(made_from.layer) != LAYER
        return "" if known else f"unknown layer {made_from.layer}"

    def render(self, made_from: provenance.Provenance) -> str:
        """Return the text of the copy rendered now with its own options, which must have been checked."""
        language, layer = made_from.language, made_from.layer
        return vendor.render(self.root, language, layer, made_from.file, made_from.options, self.blob(language, layer))


def read(file: Found) -> str:
    """Return the text of a copy; raises GeneratorError if it cannot be read."""
    return marks.read_text(file.real, file.path, follow=False)


def check_copy(file: Found, catalogue: Catalogue) -> Copy:
    """Return the copy in *file* and its state; raises GeneratorError if it cannot be read."""
    text = read(file)
    fields = provenance.recorded(text)
    if fields is None:
        marked = marks.is_marked(text.encode("utf-8", "surrogateescape"))
        return Copy(file, "", "", EDITED if marked else NO_COPY, "it has no winscratch line")
    version = fields.get("version")
    newer = f"made by {shorten(version)}, this is {VERSION}" if isinstance(version, str) and is_newer(version) else ""
    found = provenance.read(text)
    if found is None:
        # A later version may record more fields.
        return Copy(file, "", "", NEWER if newer else EDITED, newer or "its winscratch line is damaged")
    made_from, intact = found
    state, detail = _state(text, made_from, intact, newer, catalogue)
    renewable = state != EDITED or not detail  # the detail says why it cannot be regenerated
    if state == EDITED and not detail and marks.is_reencoded(text):
        detail = "not UTF-8, or with a byte order mark"
    return Copy(file, made_from.layer, made_from.language, state, detail, made_from, renewable)


def _state(
    text: str, made_from: provenance.Provenance, intact: bool, newer: str, catalogue: Catalogue
) -> tuple[str, str]:
    """Return state and detail: a copy whose text matches is fresh, else its provenance line decides."""
    now, unknown = "", catalogue.lacks(made_from)
    if not unknown:
        try:
            LANGUAGES[made_from.language].check_options(made_from.options)
        except GeneratorError as error:
            return EDITED, f"its winscratch line has an invalid name: {error}"
        now = catalogue.render(made_from)
    if now and provenance.is_made_alike(text, now):
        return FRESH, ""
    if not intact:
        return EDITED, newer or unknown
    if newer:
        return NEWER, newer
    if not now:
        return UNKNOWN, "not in this winscratch"
    blob = catalogue.blob(made_from.language, made_from.layer)
    same_bytes = (made_from.digest, made_from.diff_id) == ((blob.digest, blob.diff_id) if blob else ("", ""))
    return OUTDATED, "template only changed" if same_bytes else "layer bytes changed"


def is_newer(version: str) -> bool:
    """Return whether *version* is later than this one; anything but numbers and dots counts as later."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})*", version):
        return True
    return [int(part) for part in version.split(".")] > [int(part) for part in VERSION.split(".")]
