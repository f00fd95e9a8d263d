# SPDX-License-Identifier: Apache-2.0
"""Check copies of modules in other projects, and update them."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..base import console
from ..base.console import Say
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError
from . import lock_file
from .find import Found, Search, find
from .findings import may_be_forced, report
from .pairs import complete
from .state import EDITED, FRESH, MISSING, NO_COPY, UNCHECKED, UNLISTED, Catalogue, Copy, check_copy
from .update import UpdateOptions, missing, update_copies, update_lists


def check(
    root: Path,
    paths: Iterable[str],
    *,
    as_json: bool,
    say: Say = console.say,
    note: Say = console.note,
    update: bool = False,
    force: bool = False,
    dry_run: bool = False,
    diff: bool = False,
    lock: bool = False,
    allow_none: bool = False,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Print the state of each copy at and below *paths*; return 0 if all are fresh, else 1.

    *update* first regenerates outdated copies, with *force* edited ones too, and updates existing lock files; with
    *lock* it creates one in each folder of *paths* that has none, and drops entries of removed copies. *dry_run*
    prints the files that an update would write and *diff* their differences; neither writes. Raises GeneratorError if
    a path is missing, if a file cannot be read or written, and if no copy is found, unless *allow_none*.
    """
    for option, given in (("--force", force), ("--lock", lock)):
        if given and not (update or dry_run or diff):
            raise GeneratorError(f"{option}: means nothing without --update")
    if as_json and diff:
        raise GeneratorError("--diff: is not shown as JSON; hint: leave out --json")
    paths = list(paths)
    catalogue, search = Catalogue(root), _search(paths, allow_none, note)
    copies = complete([check_copy(found, catalogue) for found in search.files.values()], catalogue)
    if update or dry_run or diff:
        # JSON is one document, alone on standard output.
        options = UpdateOptions(catalogue, force, not (dry_run or diff), note if as_json else say, note, diff)
        copies = _updated(copies, search, options, lock)
    copies += [Copy(file, "", "", UNCHECKED, "too large for a copy") for file in search.unchecked]
    copies = sorted((*_held_to_lists(copies, search), *_missing(search)), key=lambda copy: copy.path)
    for line in report(copies, paths, as_json, os.environ if environment is None else environment):
        say(line)
    return EXIT_OK if all(copy.state == FRESH for copy in copies) else EXIT_STALE


def _search(paths: list[str], allow_none: bool, note: Say) -> Search:
    """Search *paths*; unless *allow_none*, raise GeneratorError if no copy is found and no listed copy is missing."""
    search = find(paths, note)
    lacking = any(missing(folder, search) for folder in search.entries)
    if not (search.files or search.unchecked or allow_none or lacking):
        raise GeneratorError(
            "nothing was checked: no copy found here; hint: name the paths of the copies, or use --allow-none"
        )
    return search


def _updated(copies: list[Copy], search: Search, options: UpdateOptions, begin: bool) -> list[Copy]:
    """Update copies and lock files; return the copies in their new states."""
    copies = update_copies(copies, options)
    update_lists(copies, search, options, begin=begin)
    if options.diff and not options.force and any(copy.state == EDITED and may_be_forced(copy) for copy in copies):
        options.note("--diff leaves out edited copies; --diff --force shows how --force would replace them")
    return copies


def _held_to_lists(copies: Iterable[Copy], search: Search) -> Iterator[Copy]:
    """Yield *copies* compared with their lock files: a fresh copy that is not listed becomes UNLISTED.

    A listed file that is not marked as a copy becomes EDITED.
    """
    for copy in copies:
        holder, entry = search.list_of(copy.file.real), search.listed(copy.file.real)
        if copy.state == NO_COPY and entry is not None:
            yield replace(copy, state=EDITED, language=entry.language, layer=entry.layer)
        elif holder is None or copy.state != FRESH or entry == (copy.language, copy.layer):
            yield copy
        else:
            held = f", which has it as {entry.language}, {entry.layer}" if entry else ""
            yield replace(copy, state=UNLISTED, detail=f"in {lock_file.shown(holder)}{held}")


def _missing(search: Search) -> Iterator[Copy]:
    """Yield the copies that are listed but missing."""
    for folder in search.entries:
        for name, entry in missing(folder, search):
            real = folder / name
            above = next(above for above in real.parents if above in search.folders)
            path = os.path.normpath(Path(search.folders[above], real.relative_to(above)))
            found, detail = Found(path, real, above), f"listed in {lock_file.shown(folder)}"
            yield Copy(found, entry.layer, entry.language, MISSING, detail)
