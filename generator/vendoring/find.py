# SPDX-License-Identifier: Apache-2.0
"""Where copies of our modules are: a walk over files and folders for what says that winscratch made it."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..base.console import Say
from ..base.errors import GeneratorError
from ..base.reading import MAX_FILE, NO_FOLLOW, NO_WAIT
from ..languages.table import endings
from . import lock_file, marks
from .gitignore import ignored, repository
from .lock_file import LockEntry

# Endings of text that is no source code. Files that end in anything else are searched.
_TEXTS = """
    adoc asciidoc bak csv diff htm html json json5 jsonl license lock log map markdown md mdx ndjson orig patch rej rst
    rtf svg tex toml tsv txt xhtml xml yaml yml
"""
_SKIPPED = frozenset(_TEXTS.split())
_COPY, _LINK, _LIST, _TOO_LARGE = "copy", "symlink", "list", "too large"  # what a walk finds
_ENDINGS = endings()
# Endings of source code, in which a mark may be anywhere; a file too large to search is reported.
_SOURCES = (*_ENDINGS, ".pyw", ".pyi", ".csx", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".m", ".mm")


@dataclass(frozen=True, slots=True)
class Found:
    """A file to check: *path* as the user knows it, *real* without links, *below* the folder that was named.

    Of a file that was named itself, *below* is the folder that it stands in.
    """

    path: str
    real: Path
    below: Path


@dataclass(slots=True)
class Search:
    """What was found: files that may be copies, by their real paths, and what lists of copies hold, by their folders.

    *unchecked* are files too large to be checked. *folders* maps the real paths of the folders that were looked
    through to what the user calls them.
    """

    files: dict[Path, Found] = field(default_factory=dict)
    unchecked: list[Found] = field(default_factory=list)
    entries: dict[Path, dict[str, LockEntry]] = field(default_factory=dict)
    folders: dict[Path, str] = field(default_factory=dict)

    def list_of(self, real: Path) -> Path | None:
        """Return the folder of the list that is to have the file *real*: the nearest above it."""
        return next((folder for folder in real.parents if folder in self.entries), None)

    def listed(self, real: Path) -> LockEntry | None:
        """Return what is listed of the file *real*."""
        folder = self.list_of(real)
        return self.entries[folder].get(real.relative_to(folder).as_posix()) if folder is not None else None


def stem(name: str) -> str:
    """Return the name of a copy's file without its ending, which may be in capitals."""
    length = max((len(ending) for ending in _ENDINGS if name.lower().endswith(ending)), default=0)
    return name[: len(name) - length]


def find(paths: Iterable[str], note: Say) -> Search:
    """Return the files that are named by *paths*, and those in folders among them that say they are copies.

    In a git checkout what git ignores is left out, unless it is named itself or listed, and so are other
    repositories in it. Symlinks are followed only if *paths* names them, and only regular files are read; *note* is
    given those that lead from a folder to a copy elsewhere. Raises GeneratorError for a path that is not there or
    cannot be read.
    """
    search = Search()
    for path in paths:
        real = Path(os.path.realpath(path))  # unlike Path.resolve(), at ease with a link to itself
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
    """Add what is found below the folder *path* to *search*."""
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
        elif kind in {_COPY, _TOO_LARGE} and (file not in left_out or search.listed(file)):
            one = Found(shown, file, real)
            if kind == _TOO_LARGE:
                search.unchecked.append(one)
            else:
                search.files.setdefault(file, one)


def _note_link(link: Path, shown: str, folder: Path, note: Say) -> None:
    """Report the symlink *link* if it leads to a copy, or to a folder, that is not below *folder*."""
    target = Path(os.path.realpath(link))
    if target.is_relative_to(folder):
        return
    try:
        mode = os.stat(target).st_mode
        if stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and _kind(str(target))):
            note(f"{shown}: a symlink to {target}, which is not checked; name it to have it checked")
    except (OSError, GeneratorError):  # dangling, or not ours to read
        return


def _walk(path: str, *, in_repository: bool) -> Iterator[tuple[str, str]]:
    """Yield what is of interest below the folder *path*: its path relative to that, and its kind."""
    folders = [""]
    while folders:
        inner = folders.pop()
        try:
            with os.scandir(os.path.join(path, inner)) as scan:
                entries = list(scan)
        except OSError as error:
            raise GeneratorError(f"{error.filename}: cannot be read: {error.strerror}") from error
        if in_repository and inner and any(entry.name == ".git" for entry in entries):
            continue  # a submodule, or another repository: it has an owner of its own
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
    """Return whether a file of that name may be source code."""
    _, dot, ending = name.rpartition(".")
    return not dot or ending.lower() not in _SKIPPED


def _kind(path: str) -> str:
    """Return _COPY for a regular file that says winscratch made it, _TOO_LARGE if it cannot be searched, else ""."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_WAIT | NO_FOLLOW)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return ""
            source = path.lower().endswith(_SOURCES)
            found = marks.search(descriptor, status.st_size, source=source)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOENT, errno.ENXIO}:  # since, it was deleted or replaced by a link
            return ""
        raise GeneratorError(f"{path}: cannot be read: {error.strerror}") from error
    if found == marks.MARKED:
        return _COPY if status.st_size <= MAX_FILE else _TOO_LARGE
    return _TOO_LARGE if found == marks.TOO_LARGE else ""
