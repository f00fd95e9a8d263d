# SPDX-License-Identifier: Apache-2.0
"""Check copies of more than one file, such as a C header and its source file, for missing files."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..languages.provenance import Provenance
from ..languages.table import LANGUAGES
from .find import Found, stem
from .state import FRESH, MISSING, OUTDATED, UNPAIRED, Catalogue, Copy, check_copy


def complete(copies: list[Copy], catalogue: Catalogue) -> list[Copy]:
    """Return *copies* with the other files of each copy, missing ones included, sorted by path.

    The other file of a pair is looked up among *copies*, then in the folder of the first.
    """
    results = {copy.file.real: copy for copy in copies}
    identities = {_identity(copy.made_from) for copy in copies if copy.made_from is not None}
    for copy in copies:
        for ending, other in _others(copy):
            if _identity(other) not in identities:
                results |= {found.file.real: found for found in _beside(copy, ending, other, catalogue)}
    return sorted(results.values(), key=lambda copy: copy.path)


def _identity(made_from: Provenance) -> tuple[object, ...]:
    return made_from.layer, made_from.language, made_from.options, made_from.file


def _others(copy: Copy) -> Iterator[tuple[str, Provenance]]:
    """Yield the ending and the provenance of each other file of a copy."""
    made_from, language = copy.made_from, LANGUAGES.get(copy.language)
    endings = language.endings(copy.layer) if language is not None else {}
    if made_from is not None and made_from.file in endings:
        yield from ((endings[name], replace(made_from, file=name)) for name in endings if name != made_from.file)


def _beside(copy: Copy, ending: str, other: Provenance, catalogue: Catalogue) -> Iterator[Copy]:
    """Yield the state of the other file of *copy*, which has *ending* and the provenance *other*.

    It must be in the same folder, else it is MISSING. If a file there does not match *other*, yield *copy* as UNPAIRED.
    """
    alike = LANGUAGES[copy.language].endings_like(ending)
    siblings = [_sibling(copy.file, spelt) for spelt in (*alike, *map(str.upper, alike))]
    there = [file for file in siblings if os.path.lexists(file.real)]
    for file in there:
        # A symlink is accepted, but its target is not written.
        real = Path(os.path.realpath(file.real))
        found = check_copy(replace(file, real=real), catalogue)
        if found.made_from is not None and _identity(found.made_from) == _identity(other):
            if real == file.real:
                yield found
            return
    if not there:
        yield Copy(siblings[0], other.layer, other.language, MISSING, f"{copy.path} needs it", other)
    elif copy.state in {FRESH, OUTDATED}:
        yield replace(copy, state=UNPAIRED, detail=f"{there[0].path} is not its other half")


def _sibling(file: Found, ending: str) -> Found:
    name = stem(file.real.name) + ending
    return Found(str(Path(file.path).with_name(name)), file.real.with_name(name), file.below)
