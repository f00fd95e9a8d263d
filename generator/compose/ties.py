# SPDX-License-Identifier: Apache-2.0
"""Find what ties a layer to the base below it: delta hives, a utility VM, and hard links to files below.

Layers made on Windows have them. Their deltas belong to the hives of the old base.
Sources: github.com/microsoft/hcsshim internal/wclayer/cim/registry.go and internal/wclayer/legacy.go.
"""

import io
import posixpath
import zlib
from collections.abc import Iterable, Iterator

from ..base.errors import GeneratorError, brief, shorten
from ..imageread.bounded import CHUNK, BombError, HashingReader, most_unpacked
from ..imageread.images import Layer, unpack
from ..imageread.untar import DIRECTORY, FILE, HARD_LINK, TarEntry, TarError, TarReader
from ..oci.files import facts
from ..oci.names import MOST_CHARACTERS, MOST_ENTRIES, fold

HIVES, FILES = facts().roots
_UTILITY_VM = "UtilityVM"
_CHECK = "winscratch check-image"


def ties(layers: Iterable[Layer], name: str) -> Iterator[str]:
    """Yield the first tie of each of *layers*, lowest first; *name* is the image's, for errors.

    That is an entry that belongs to the base below: the layer, its name and the reason, as a line. Each layer is read
    to its end. Raises GeneratorError for one that is damaged, or not the one of its descriptor.
    """
    files = _Files()
    for layer in layers:
        where = f"{name}: {shorten(layer.name, 80)}"
        try:
            with layer.open() as blob:
                found = _read(layer, blob, files, where)
        except (OSError, EOFError, zlib.error, TarError) as error:
            reason = getattr(error, "strerror", None) or error
            raise GeneratorError(f"{where}: the layer cannot be read: {reason}; hint: {_CHECK}") from error
        except BombError as error:
            raise GeneratorError(f"{where}: the layer is larger than it can be; hint: {_CHECK}") from error
        if found:
            yield found


class _Files:
    """The paths of files in the layers so far, folded."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._room = MOST_CHARACTERS

    def add(self, path: str) -> bool:
        """Add a path; return False beyond the limits of a layer."""
        self._room -= len(path)
        self._paths.add(fold(path))
        return self._room >= 0 and len(self._paths) <= MOST_ENTRIES

    def __contains__(self, path: str) -> bool:
        return fold(path) in self._paths


def _read(layer: Layer, blob: io.BufferedReader, files: _Files, where: str) -> str:
    """Return the first tie of an open layer, read to its end, or nothing."""
    algorithm = (layer.descriptor.digest if layer.descriptor else "sha256:").partition(":")[0]
    raw = HashingReader(blob, algorithm)
    size = blob.seek(0, io.SEEK_END)
    blob.seek(0)
    raw.most = layer.descriptor.size if layer.descriptor else size
    stored: io.BufferedReader = io.BufferedReader(raw, CHUNK)
    _, unpacked = unpack(stored)
    tar = HashingReader(unpacked, layer.diff_id.partition(":")[0])
    tar.most = most_unpacked(size)
    stream = io.BufferedReader(tar, CHUNK)
    found = ""
    for entry in TarReader(stream, sparse=True):
        path, is_whiteout = _clean(entry.name)
        reason = _reason(entry, path, files)
        if reason and not found:
            found = f"{shorten(layer.name, 80)}: {brief(entry.name)}: {reason}"
        if entry.kind in {FILE, HARD_LINK} and not is_whiteout and not files.add(path):
            raise GeneratorError(f"{where}: too many files; hint: {_CHECK}")
    for each in (stream, stored):
        while each.read(CHUNK):
            pass
    stands = layer.descriptor.digest if layer.descriptor else raw.digest
    wrong = raw.digest if raw.digest != stands else tar.digest if tar.digest != layer.diff_id else ""
    if wrong:
        raise GeneratorError(f"{where}: the content is {wrong}; hint: {_CHECK}")
    return found


def _clean(name: str) -> tuple[str, bool]:
    """Return the path that Windows' importer makes of a name, and whether it removes that."""
    path = posixpath.normpath(name.replace("\\", "/")).lstrip("/")
    folder, _, last = path.rpartition("/")
    removed = last.removeprefix(facts().whiteout)
    return posixpath.normpath(posixpath.join(folder, removed)), removed != last


def _reason(entry: TarEntry, path: str, files: _Files) -> str:
    """Return why an entry belongs to the base below, or nothing."""
    root = fold(path).partition("/")[0]
    if root == fold(HIVES) and (entry.kind != DIRECTORY or "/" in path):
        return "a change of the old base's registry"
    if root == fold(_UTILITY_VM):
        return "a change of the old base's utility VM"
    if entry.kind == HARD_LINK and _clean(entry.target)[0] not in files:
        return f"a hard link to a file of the old base, {brief(entry.target)}"
    return ""
