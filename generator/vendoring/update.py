# SPDX-License-Identifier: Apache-2.0
"""Regenerate copies, and keep lock files up to date."""

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..base import files
from ..base.console import Say
from . import lock_file
from .change import Change
from .find import Search, stem
from .lock_file import LockEntry
from .state import EDITED, FRESH, MISSING, OUTDATED, UNPAIRED, Catalogue, Copy, check_copy, is_newer, read


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """Options of an update: *force* replaces edited copies, *write* is False for a dry run, *diff* prints diffs."""

    catalogue: Catalogue
    force: bool
    write: bool
    say: Say
    note: Say
    diff: bool = False


def update_copies(copies: list[Copy], options: UpdateOptions) -> list[Copy]:
    """Regenerate outdated copies and copies with a missing file; return *copies* with their new states."""
    results: list[Copy] = []
    groups: dict[tuple[Path, str], list[Copy]] = {}
    for copy in copies:
        groups.setdefault((copy.file.real.with_name(stem(copy.file.real.name)), copy.language), []).append(copy)
    for group in groups.values():
        results += _make(group, options) if any(_may_write(copy, options) for copy in group) else group
    return sorted(results, key=lambda copy: copy.path)


def _may_write(copy: Copy, options: UpdateOptions) -> bool:
    made_from = copy.made_from
    if made_from is None or not copy.renewable or options.catalogue.lacks(made_from) or is_newer(made_from.version):
        return False
    return copy.state in {OUTDATED, MISSING} or (copy.state == EDITED and options.force)


def _make(copies: list[Copy], options: UpdateOptions) -> list[Copy]:
    """Regenerate the stale files of one copy, all or none; return all its files with their new states."""
    folder = copies[0].file.real.parent
    with files.lock(folder, options.note) if options.write else contextlib.nullcontext():
        if options.write:
            files.sweep(folder, deep=False)
            copies = [_again(copy, options.catalogue) for copy in copies]
        kept = [copy for copy in copies if copy.state != FRESH and not _may_write(copy, options)]
        if kept:
            # Updating only one file of a pair would leave the pair inconsistent.
            reason = f"not updated, since {kept[0].path} is in state: {kept[0].state}"
            return [copy if copy in kept or copy.state == FRESH else _with(copy, reason) for copy in copies]
        changed = [copy for copy in copies if copy.state != FRESH]
        changes = {copy.file.real: _change(copy, options.catalogue) for copy in changed}
        if options.write:
            written = {real: change.new.encode("utf-8") for real, change in changes.items()}
            files.replace(written, below=copies[0].file.below)
            return [replace(copy, state=FRESH, detail="updated") if copy in changed else copy for copy in copies]
    for change in changes.values() if options.diff else ():
        change.show(options.say)
    return [_with(copy, "would be updated") if copy in changed else copy for copy in copies]


def _again(copy: Copy, catalogue: Catalogue) -> Copy:
    """Check *copy* again, now that the folder is locked; return its state."""
    if copy.state == UNPAIRED or (copy.state == MISSING and not os.path.lexists(copy.file.real)):
        return copy
    return check_copy(copy.file, catalogue)


def _with(copy: Copy, remark: str) -> Copy:
    return replace(copy, detail=f"{copy.detail}; {remark}" if copy.detail else remark)


def _change(copy: Copy, catalogue: Catalogue) -> Change:
    assert copy.made_from is not None  # noqa: S101 - _may_write() requires it
    old = None if copy.state == MISSING else read(copy.file)
    return Change(Path(copy.path), old, catalogue.render(copy.made_from))


def update_lists(copies: list[Copy], search: Search, options: UpdateOptions, *, begin: bool) -> None:
    """Add the copies to their lock files; with *begin*, create lock files and drop entries of removed copies."""
    if begin:
        for folder in search.folders:
            if folder not in search.entries and search.list_of(folder) is None:
                search.entries[folder] = {}
    there = [copy for copy in copies if copy.made_from and copy.state != MISSING]
    for folder in search.entries:
        own = [copy for copy in there if search.list_of(copy.file.real) == folder]
        add = {lock_file.name_of(copy.file.real, folder): LockEntry(copy.language, copy.layer) for copy in own}
        gone = {name for name, _ in missing(folder, search)} if begin else set()
        if options.write:
            change = lock_file.write(folder, add, options.note, gone)
            search.entries[folder] = lock_file.read(folder)
        else:
            change = lock_file.change(folder, add, gone)
            if options.diff:
                change.show(options.say)
        if change.needed and not options.diff:
            options.say(f"{'wrote' if options.write else 'would write'} {change.path}")


def missing(folder: Path, search: Search) -> list[tuple[str, LockEntry]]:
    """Return the entries of the lock file in *folder* whose files the search should have found and did not."""
    there = search.files.keys() | {file.real for file in search.unchecked}
    return [
        (name, entry)
        for name, entry in search.entries[folder].items()
        if folder / name not in there and any(above in search.folders for above in (folder / name).parents)
    ]
