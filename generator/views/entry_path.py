# SPDX-License-Identifier: Apache-2.0
"""Parse a path that a user gives in a layer or hive: an entry of the tar, and a key if that entry is a hive.

``Files/Windows/System32/config/SYSTEM\\Select`` is the key Select of that hive: keys follow the entry after a
backslash. A bare hive has keys alone. Case is ignored, as on Windows, and other spellings of an entry are accepted:
``Files\\Windows``, ``C:\\Windows``, ``/Windows``.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ..base.errors import GeneratorError
from ..hives.model import fold_name
from ..imageread.untar import DIRECTORY, TarEntry
from .unpacked_layers import HiveFile, UnpackedImage, Viewable

_ROOT: Final = re.compile(r"([Cc]:)?[\\/]+|(\.[\\/]+)+")
_FILES: Final = "Files/"  # the root of a container's disk in a layer


class EntryPath(NamedTuple):
    """An entry's path, empty for a whole layer, and the names of keys below a hive's root, None for no key."""

    path: str = ""
    key: tuple[str, ...] | None = None

    def entries(self, entries: Iterable[TarEntry]) -> list[TarEntry]:
        """Return the entry at the path and all entries below it; all entries if the path is empty."""
        if not self.path:
            return list(entries)
        wanted = fold_name(self.path.strip("/"))
        named = ((fold_name(entry.name.rstrip("/")), entry) for entry in entries)
        below = f"{wanted}/"
        return [each for name, each in named if name == wanted or (self.key is None and name.startswith(below))]

    @property
    def key_text(self) -> str:
        """The key as Windows writes it, quoted, for errors."""
        return repr("\\".join(self.key or ()))


def absent(name: str, place: EntryPath) -> GeneratorError:
    """Return the error for a *place* that does not exist in the layer or image called *name*."""
    return GeneratorError(f"{name}: has no entry {place.path!r}")


def entries_of(viewable: Viewable) -> Iterator[TarEntry]:
    """Yield the entries of a layer, or of all layers of an image; nothing for a hive."""
    if isinstance(viewable, UnpackedImage):
        for layer in viewable.layers:
            yield from layer.entries
    elif not isinstance(viewable, HiveFile):
        yield from viewable.entries


def find(viewable: Viewable, text: str) -> EntryPath:
    """Return the path that *text* is in a hive, layer or image; ``.`` is all of it."""
    if text in {"", ".", "./", ".\\"}:
        return EntryPath()
    if isinstance(viewable, HiveFile):
        return EntryPath("", _keys(text.removeprefix("\\")))
    return _among(list(entries_of(viewable)), text)


def _among(entries: Sequence[TarEntry], text: str) -> EntryPath:
    """Return the path as written if its entry exists, else in another spelling that does, the longest entry first."""
    path, backslash, key = text.partition("\\")
    kinds = {fold_name(entry.name.strip("/")): entry.kind for entry in entries}
    kind = kinds.get(fold_name(path.strip("/")))
    if kind is not None and not (backslash and kind == DIRECTORY):
        return EntryPath(path, _keys(key) if backslash else None)
    ends = [len(text), *(at for at in range(len(text) - 1, -1, -1) if text[at] == "\\")]
    for end in ends:
        spelled = _ROOT.sub("", text[:end], count=1) if _ROOT.match(text) else text[:end]
        spelled = spelled.replace("\\", "/").strip("/")
        for candidate in (spelled, (_FILES + spelled).rstrip("/")):
            kind = kinds.get(fold_name(candidate))
            if kind == DIRECTORY and not text[end:].strip("\\"):
                return EntryPath(candidate)
            if kind not in {None, DIRECTORY}:
                if end < len(text):
                    return EntryPath(candidate, _keys(text[end + 1 :]))
                if not text.endswith("\\"):
                    return EntryPath(candidate)
    return EntryPath(text)


def _keys(text: str) -> tuple[str, ...]:
    return tuple(text.removesuffix("\\").split("\\")) if text.removesuffix("\\") else ()
