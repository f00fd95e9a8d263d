# SPDX-License-Identifier: Apache-2.0
"""Find copies of modules: search files and folders for the line that every generated module contains."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..base.console import Say
from ..base.errors import GeneratorError
from ..base.reading import MAX_FILE, NotRegularError, open_regular, unreadable
from ..languages.table import endings
from . import lock_file, marks
from .gitignore import ignored, repository
from .lock_file import LockEntry

# Endings of text files that are not source code. All other files are searched.
_SKIPPED = frozenset(
    """adoc asciidoc bak csv diff htm html json json5 jsonl license lock log map markdown md mdx ndjson orig patch rej
    rst rtf svg tex toml tsv txt xhtml xml yaml yml""".split()  # noqa: SIM905
)
_LINK, _LIST = "symlink", "list"  # kinds of files that the walk yields, besides those of marks.py
_ENDINGS = endings()
# Endings of source code, which is searched to its end; a file too large to search is reported.
_SOURCES = (*_ENDINGS, ".pyw", ".pyi", ".csx", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".m", ".mm")


@dataclass(frozen=True, slots=True)
class Found:
    """A file to check: *path* as shown to the user, *real* with symlinks resolved, *below* the folder searched.

    For a file named on the command line, *below* is its parent folder.
    """

    path: str
    real: Path
    below: Path


@dataclass(slots=True)
class Search:
    """The result of a search: possible copies by their real paths, and the entries of lock files by their folders.

    *unchecked* are files too large to be checked. *folders* maps the real paths of the searched
    folders to the paths that the user gave.
    """

    files: dict[Path, Found] = field(default_factory=dict)
    unchecked: list[Found] = field(default_factory=list)
    entries: dict[Path, dict[str, LockEntry]] = field(default_factory=dict)
    folders: dict[Path, str] = field(default_factory=dict)

    def list_of(self, real: Path) -> Path | None:
        """Return the folder of the nearest lock file above the file *real*, or None."""
        return next((folder for folder in real.parents if folder in self.entries), None)

    def listed(self, real: Path) -> LockEntry | None:
        """Return the lock file's entry for the file *real*, or None."""
        folder = self.list_of(real)
        return self.entries[folder].get(real.relative_to(folder).as_posix()) if folder is not None else None


def stem(name: str) -> str:
    """Return a file name without its language's ending, which may be in upper or lower case."""
    length = max((len(ending) for ending in _ENDINGS if name.lower().endswith(ending)), default=0)
    return name[: len(name) - length]


def find(paths: Iterable[str], note: Say) -> Search:
    """Return the files in *paths*, and the copies below the folders in *paths*.

    In a git checkout, nested repositories are skipped, and so are ignored files unless *paths* or a lock file names
    them. Symlinks are followed only if *paths* names them, and only regular files are read; *note* is called for each
    symlink to a copy outside the folder. Raises GeneratorError if a path is missing or unreadable.
    """
    search = Search()
    for path in paths:
        real = Path(os.path.realpath(path))  # unlike Path.resolve(), accepts a symlink to itself
        if real.is_dir():
            search.folders.setdefault(real, os.path.normpath(path))
            _look_through(path, real, search, note)
        elif os.path.lexists(path):
            search.files[real] = Found(os.path.normpath(path), real, real.parent)
            _add_list(lock_file.nearest(real.parent), search)
        else:
            raise GeneratorError(f"{path}: no such file or directory")
    return search


def _add_list(folder: Path | None, search: Search) -> None:
    if folder is not None and folder not in search.entries:
        search.entries[folder] = lock_file.read(folder)


def _look_through(path: str, real: Path, search: Search, note: Say) -> None:
    """Add the copies and lock files below the folder *path* to *search*."""
    root = repository(real)
    found = {real / inner: (inner, kind) for inner, kind in _walk(path, in_repository=root is not None)}
    left_out = ignored(root, found, note) if root is not None else set()
    _add_list(lock_file.nearest(real), search)
    for file, (_, kind) in found.items():
        if kind == _LIST and file not in left_out:
            _add_list(file.parent, search)
    for file, (inner, kind) in found.items():
        shown = os.path.normpath(os.path.join(path, inner))
        if kind == _LINK and file not in left_out:
            _note_link(file, shown, real, note)
        elif kind in {marks.MARKED, marks.TOO_LARGE} and (file not in left_out or search.listed(file)):
            one = Found(shown, file, real)
            if kind == marks.TOO_LARGE:
                search.unchecked.append(one)
            else:
                search.files.setdefault(file, one)


def _note_link(link: Path, shown: str, folder: Path, note: Say) -> None:
    """Report the symlink *link* if its target is a copy or a folder outside *folder*."""
    target = Path(os.path.realpath(link))
    if target.is_relative_to(folder):
        return
    try:
        mode = os.stat(target).st_mode
        if stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and _kind(str(target))):
            note(f"{shown}: a symlink to {target}, which is not checked; name it to have it checked")
    except (OSError, GeneratorError):  # dangling, or unreadable
        return


def _walk(path: str, *, in_repository: bool) -> Iterator[tuple[str, str]]:
    """Yield the relative path and the kind of each copy, symlink and lock file below the folder *path*."""
    folders = [""]
    while folders:
        inner = folders.pop()
        try:
            with os.scandir(os.path.join(path, inner)) as scan:
                entries = list(scan)
        except OSError as error:
            raise GeneratorError(f"{error.filename}: cannot be read: {error.strerror}") from error
        if in_repository and inner and any(entry.name == ".git" for entry in entries):
            continue  # a submodule or another repository, which is checked on its own
        for entry in entries:
            kind = ""
            if entry.is_dir(follow_symlinks=False):
                if entry.name != ".git":
                    folders.append(os.path.join(inner, entry.name))
            elif entry.name == lock_file.NAME:
                kind = _LIST
            elif entry.is_symlink():
                kind = _LINK
            elif _is_searched(entry.name) and entry.is_file(follow_symlinks=False):
                kind = _kind(entry.path)
            if kind:
                yield os.path.join(inner, entry.name), kind


def _is_searched(name: str) -> bool:
    """Return whether a file named *name* may be source code."""
    _, dot, ending = name.rpartition(".")
    return not dot or ending.lower() not in _SKIPPED


def _kind(path: str) -> str:
    """Return MARKED for a regular file with a module's line, TOO_LARGE if it cannot be searched, else ""."""
    try:
        descriptor = open_regular(path, follow=False)
        try:
            status = os.fstat(descriptor)
            source = path.lower().endswith(_SOURCES)
            found = marks.search(descriptor, status.st_size, source=source)
        finally:
            os.close(descriptor)
    except OSError as error:
        gone = error.errno in {errno.EISDIR, errno.ELOOP, errno.ENOENT, errno.ENXIO}  # deleted or replaced meanwhile
        if gone or isinstance(error, NotRegularError):
            return ""
        raise unreadable(path, error) from error
    return marks.TOO_LARGE if found and status.st_size > MAX_FILE else found
