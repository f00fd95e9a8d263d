# SPDX-License-Identifier: Apache-2.0
"""Read access to the files of an image, in a folder or in a tar archive.

Both are untrusted: no link is followed out of them, only regular files are opened, and an archive's file list is
limited in size.
"""

import errno
import io
import os
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..base.errors import GeneratorError
from ..base.file_kinds import HEAD
from ..base.folders import Folders, open_below
from ..base.reading import open_regular
from .untar import FILE, HARD_LINK, SYMBOLIC_LINK, TarError, TarReader

_MAX_NAMES: Final = 1 << 24  # characters of all names in an archive together
BUFFER: Final = 1 << 18  # bytes
_MOST_FOLDERS: Final = 4  # folders kept open, such as blobs/sha256
_DOCUMENTS: Final = frozenset({"index.json", "manifest.json", "oci-layout"})
_MAX_HOPS: Final = 8  # links followed to open a file in an archive; archives of older `docker save` need one


class FolderStore:
    """A folder; symbolic links in it are not followed."""

    def __init__(self, path: Path) -> None:
        """Keep *path*; folders are opened on first use."""
        self._folders = Folders(_MOST_FOLDERS)
        self._top = self._folders.top(str(path))

    def open(self, path: str) -> io.BufferedReader:
        """Open a regular file; raises FileNotFoundError if it is missing, and OSError if it cannot be read."""
        return open_below(self._top, path)

    def close(self) -> None:
        """Close the folders; files returned by open() stay open."""
        self._folders.close()


class ArchiveStore:
    """An uncompressed tar; files are read in place."""

    def __init__(self, path: Path) -> None:
        """Read the list of files; raises GeneratorError if the archive cannot be read."""
        try:
            self._file = os.fdopen(open_regular(path), "rb")
        except OSError as error:
            raise GeneratorError(f"{path}: cannot be read: {error.strerror}") from error
        self._first: dict[str, str] = {}
        self._twice: dict[str, str] = {}
        try:
            self._files = self._listed(path)
        except BaseException:
            self._file.close()
            raise

    def _listed(self, path: Path) -> Mapping[str, tuple[int, int] | str]:
        """Return offset and size of each file in bytes, and the target of each link."""
        files: dict[str, tuple[int, int] | str] = {}
        room = _MAX_NAMES
        try:
            for entry in TarReader(self._file):
                name = posixpath.normpath(entry.name).lstrip("/")  # the path to which `docker load` unpacks it
                room -= len(name) + 64
                if room < 0:
                    raise GeneratorError(f"{path}: the archive has too many files for an image")
                if entry.kind in {FILE, SYMBOLIC_LINK, HARD_LINK}:
                    self._see(name, entry.name)
                if entry.kind == FILE:
                    files[name] = (entry.offset, entry.size)
                elif entry.kind == SYMBOLIC_LINK:
                    files[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), entry.target))
                elif entry.kind == HARD_LINK:
                    files[name] = posixpath.normpath(entry.target)
        except TarError as error:
            raise GeneratorError(
                f"{path}: not an archive that can be read: {error}, at byte {error.offset:,}; "
                "hint: give a complete, uncompressed tar"
            ) from error
        return files

    def _see(self, name: str, spelled: str) -> None:
        """Record a repeated file name; for documents, also one that a case-insensitive disk would treat as the same."""
        lowered = name.lower()
        key = lowered if lowered in _DOCUMENTS else name
        if key in self._first:
            self._twice[key] = spelled if self._first[key] == key else self._first[key]
        self._first.setdefault(key, spelled)

    def has(self, path: str) -> bool:
        """Return whether there is a file at *path*."""
        return posixpath.normpath(path) in self._files

    def another(self, path: str) -> str:
        """Return the other name of a file that the archive holds twice, or an empty string."""
        return self._twice.get(posixpath.normpath(path), "")

    def open(self, path: str) -> io.BufferedReader:
        """Open a file as FolderStore.open() does; links are followed inside of the archive."""
        found: tuple[int, int] | str | None = posixpath.normpath(path)
        for _ in range(_MAX_HOPS):
            if not isinstance(found, str):
                break
            found = self._files.get(found)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "the archive has no such file")
        if isinstance(found, str):
            raise OSError(errno.ELOOP, "links lead in a circle")
        return io.BufferedReader(_Part(self._file, *found), BUFFER)

    def close(self) -> None:
        self._file.close()


Store = FolderStore | ArchiveStore
"""Opens files by path; paths are relative and have slashes."""


def beginning(path: Path) -> bytes:
    """Return the first bytes of a regular file, enough to identify its format; raises OSError."""
    with os.fdopen(open_regular(path), "rb") as file:
        return file.read(HEAD)


class _Part(io.RawIOBase):
    """A part of a file: *size* bytes from *start*."""

    def __init__(self, file: io.BufferedReader, start: int, size: int) -> None:
        super().__init__()
        self._file, self._start, self._at, self._end = file, start, start, start + size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: self._start, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        return self._at - self._start

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        self._file.seek(self._at)
        data = self._file.read(max(0, min(len(buffer), self._end - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
