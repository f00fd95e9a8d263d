# SPDX-License-Identifier: Apache-2.0
"""How tars differ, side by side: a row for each entry, and for each key or value of a hive that is not everywhere."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import islice
from typing import Final, NamedTuple

from ..views.regions import MappedEntry, Regions
from . import page_data

MOST_ROWS: Final = 400
_ABSENT: Final = "\N{EM DASH}"


class Row(NamedTuple):
    """What is compared, what each tar or hive has of it, and whether that differs."""

    what: str
    cells: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Tell whether not all have the same."""
        return len(set(self.cells)) > 1


def differences(subjects: Sequence[Regions]) -> list[Row]:
    """Return the rows that compare *subjects*; none where there is nothing to compare."""
    if len(subjects) < 2:
        return []
    held = [{entry.path: entry for entry in regions.entries} for regions in subjects]
    rows: list[Row] = []
    for path in dict.fromkeys(path for entries in held for path in entries):
        found = [entries.get(path) for entries in held]
        cells = tuple(_cell(regions, entry) for regions, entry in zip(subjects, found, strict=True))
        rows.append(Row(path or "hive", cells))
        if rows[-1].differs:
            rows += islice(_in_hives(path, found), MOST_ROWS)
        if len(rows) >= MOST_ROWS:
            return [*rows[:MOST_ROWS], Row("and more, which winscratch diff tells", ("",) * len(subjects))]
    return rows


def _cell(regions: Regions, entry: MappedEntry | None) -> str:
    """Return what an entry is, in words that are the same only where its content is."""
    if entry is None:
        return _ABSENT
    if not entry.size:
        return page_data.kind_of(entry)
    digest = sha256(regions.data[entry.content : entry.content + entry.size]).hexdigest()
    return f"{page_data.kind_of(entry)}, sha256 {digest[:12]}…"


def _in_hives(path: str, entries: Sequence[MappedEntry | None]) -> list[Row]:
    """Return a row for each key and value that those of *entries* which are hives do not all have alike."""
    hives = [entry for entry in entries if entry and entry.nodes]
    if len(hives) < 2:
        return []
    contents = [_content(entry) if entry and entry.nodes else None for entry in entries]
    rows = []
    for what in dict.fromkeys(what for content in contents if content for what in content):
        cells = tuple("" if content is None else content.get(what, _ABSENT) for content in contents)
        if len({cell for cell, content in zip(cells, contents, strict=True) if content is not None}) > 1:
            rows.append(Row(f"{path.rpartition('/')[2]}: {what}" if path else what, cells))
    return rows


def _content(entry: MappedEntry) -> dict[str, str]:
    """Return the keys and values of a hive by their paths, with what they hold in words."""
    content = {}
    for node in entry.nodes or ():
        key = "\\".join(node.path)
        content[key or "\\"] = "key"
        for value in node.values:
            content[f"{key}\\{value.name or '(default)'}"] = page_data.value_text(value)
    return content
