# SPDX-License-Identifier: Apache-2.0
"""Places that a user names inside of a layer or hive: an entry of the tar, and a key of the hive that it is.

``Files/Windows/System32/config/SYSTEM\\Select`` is the key Select of that hive. What stands before the first backslash
is the entry's path, with slashes; behind it are the names of keys. A bare hive has no entry, so that its places begin
with a backslash or a key's name. Case makes no difference, as on Windows.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ..base.errors import GeneratorError
from ..hives.model import fold_name
from ..imageread.untar import Entry


class EntryPath(NamedTuple):
    """An entry's path, empty for all of a layer, and the names of keys below a hive's root, None for no key."""

    path: str = ""
    key: tuple[str, ...] | None = None

    def entries(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entry at the path and what is below it, or all entries where there is no path."""
        if not self.path:
            return list(entries)
        wanted = fold_name(self.path.strip("/"))
        found = []
        for entry in entries:
            name = fold_name(entry.name.rstrip("/"))
            if name == wanted or (name.startswith(wanted) and name[len(wanted)] == "/" and self.key is None):
                found.append(entry)
        return found


def absent(name: str, place: EntryPath, entries: Sequence[Entry]) -> GeneratorError:
    """Return the error that what is called *name*, and has *entries*, has none at *place*."""
    inside = f"Files/{place.path.strip('/')}"  # what containers see has its paths without this folder
    hint = f"; name {inside!r}, which it has" if EntryPath(inside, place.key).entries(entries) else ""
    return GeneratorError(f"{name}: has no entry {place.path!r}{hint}")


def parse(text: str, *, bare: bool) -> EntryPath:
    """Return the place that *text* is, in a *bare* hive or else in a layer; ``.`` is all of either."""
    if text in {"", "."}:
        return EntryPath()
    if bare:
        return EntryPath("", _keys(text.removeprefix("\\")))
    path, backslash, key = text.partition("\\")
    return EntryPath(path, _keys(key) if backslash else None)


def _keys(text: str) -> tuple[str, ...]:
    return tuple(text.removesuffix("\\").split("\\")) if text.removesuffix("\\") else ()
