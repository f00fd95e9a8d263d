# SPDX-License-Identifier: Apache-2.0
"""The table of differences between tars or hives: a row per entry, and per key or value of a hive that differs."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import Final, NamedTuple

from ..views.hive_comparison import aligned_keys, aligned_values, value_texts
from ..views.regions import MappedEntry, Regions
from . import page_data

MOST_ROWS: Final = 400
_ABSENT: Final = "\N{EM DASH}"


class Row(NamedTuple):
    """A row: its label, and a cell for each tar or hive."""

    what: str
    cells: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether the cells differ."""
        return len(set(self.cells)) > 1


def differences(subjects: Sequence[Regions]) -> list[Row]:
    """Return the rows that compare *subjects*; none for fewer than two."""
    if len(subjects) < 2:
        return []
    by_path = [{entry.path: entry for entry in regions.entries} for regions in subjects]
    rows: list[Row] = []
    for path in dict.fromkeys(path for entries in by_path for path in entries):
        found = [entries.get(path) for entries in by_path]
        cells = tuple(_cell(regions, entry) for regions, entry in zip(subjects, found, strict=True))
        rows.append(Row(path or "hive", cells))
        if rows[-1].differs:
            rows += islice(_hive_rows(path, found), MOST_ROWS)
        if len(rows) >= MOST_ROWS:
            return [*rows[:MOST_ROWS], Row("more differences; use winscratch diff", ("",) * len(subjects))]
    return rows


def _cell(regions: Regions, entry: MappedEntry | None) -> str:
    """Return the kind of an entry, and the digest of its content."""
    if entry is None:
        return _ABSENT
    if not entry.size:
        return page_data.kind_of(entry)
    digest = sha256(regions.data[entry.content : entry.content + entry.size]).hexdigest()
    return f"{page_data.kind_of(entry)}, sha256 {digest[:12]}…"


def _hive_rows(path: str, entries: Sequence[MappedEntry | None]) -> Iterator[Row]:
    """Yield a row for each key and value that differs between the hives among *entries*; other cells are empty."""
    hives = [(number, entry.nodes) for number, entry in enumerate(entries) if entry and entry.nodes]
    if len(hives) < 2:
        return

    def row(what: str, texts: Sequence[str]) -> Row:
        cells = [""] * len(entries)
        for (number, _), text in zip(hives, texts, strict=True):
            cells[number] = text
        return Row(f"{path.rpartition('/')[2]}: {what}" if path else what, tuple(cells))

    for names, keys in aligned_keys([nodes for _, nodes in hives]):
        key = "\\".join(names)
        if None in keys:
            yield row(key or "\\", ["key" if each else _ABSENT for each in keys])
        for name, values in aligned_values(keys):
            if any(value != values[0] for value in values):
                yield row(f"{key}\\{name or '(default)'}", value_texts(values, page_data.value_text, _ABSENT))
