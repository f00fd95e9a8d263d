# SPDX-License-Identifier: Apache-2.0
"""Open files in untrusted folders without following symlinks, even if folders are swapped during the run.

Each folder is opened relative to its open parent (openat with O_NOFOLLOW) and must have the device and inode numbers
that were found before. So swapping a folder for a symlink cannot lead out of the top folder.

Windows lacks openat. There, a file is opened by its path; then each folder of the path must be the one found before
and no link, and the path must still name the open file. This order is safe because Windows renames no folder that
holds an open file.
"""

import contextlib
import errno
import io
import os
import stat
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import GeneratorError
from .reading import NO_FOLLOW, NotRegularError, open_any, open_regular, too_large, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_FOLDER = {os.open, os.stat, os.readlink} <= os.supports_dir_fd and os.scandir in os.supports_fd  # not on Windows
_READ_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_MAX_OPEN = 64  # folders; macOS allows 256 descriptors by default
_NAME_SURROGATE = 0x20000000  # bit of a reparse tag on Windows: leads to another path, as symlinks and junctions do
_CHANGED = {errno.EAGAIN, errno.EISDIR, errno.ELOOP, errno.EMLINK, errno.ENOENT}
_CHANGED |= {errno.ENOTDIR, errno.ENXIO, errno.ESTALE}


@dataclass(eq=False, slots=True)
class Folder:
    """A folder by its *name* in *parent*; without a parent, *name* is a path, which may be a symlink.

    *identity* is the device and inode number; if absent, it is recorded at the first opening. *shown* replaces the
    top folder's name in errors.
    """

    pool: "Folders"
    name: str
    parent: "Folder | None" = None
    identity: tuple[int, int] | None = None
    shown: str = ""

    @property
    def depth(self) -> int:
        """The number of folders above, up to the top one."""
        return len(self.from_top()) - 1

    def child(self, name: str, identity: tuple[int, int] | None = None) -> "Folder":
        """Return the folder *name* in this one."""
        return Folder(self.pool, name, self, identity)

    def path(self, name: str = "", *, shown: bool = False) -> str:
        """Return the path of the folder, or of *name* in it; if *shown*, as errors show it."""
        folders = self.from_top()
        parts = [(shown and folders[0].shown) or folders[0].name, *(step.name for step in folders[1:])]
        return os.path.join(*parts, name) if name else os.path.join(*parts)

    def from_top(self) -> list["Folder"]:
        """Return the folders from the top one to this one."""
        found = [self]
        while (parent := found[-1].parent) is not None:
            found.append(parent)
        return found[::-1]

    def open(self, name: str, *, regular: bool = True) -> int:
        """Return a descriptor for reading the file *name*; raises OSError, also for a symlink.

        If *regular* is False, the caller checks what kind of file it is.
        """
        if AT_FOLDER:
            opening = open_regular if regular else open_any
            return opening(name, follow=False, folder=self.pool.descriptor(self))
        path = self.path(name)
        descriptor = open_regular(path, follow=False)
        try:
            self.check()
            status = os.lstat(path)
            if _leads_elsewhere(status) or _identity(status) != _identity(os.fstat(descriptor)):
                raise OSError(errno.ESTALE, "changed while it was opened", path)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def at(self, name: str) -> tuple[str, int | None]:
        """Return *name*, or ``.`` if empty, and the folder's descriptor for calls; its path and None on Windows."""
        if AT_FOLDER:
            return name or ".", self.pool.descriptor(self)
        return self.path(name), None

    def stat(self, name: str, *, follow: bool = False) -> os.stat_result:
        """Return the status of *name*; raises OSError."""
        at, descriptor = self.at(name)
        return os.stat(at, dir_fd=descriptor, follow_symlinks=follow)

    def readlink(self, name: str) -> str:
        """Return the target of the symlink *name*; raises OSError."""
        at, descriptor = self.at(name)
        return os.readlink(at, dir_fd=descriptor)

    @contextlib.contextmanager
    def scan(self) -> "Iterator[Iterator[os.DirEntry[str]]]":
        """List the folder; raises OSError. If AT_FOLDER, the `path` of an item is only its name."""
        if not AT_FOLDER:
            self.check()
        with os.scandir(self.pool.descriptor(self) if AT_FOLDER else self.path()) as listed:
            yield listed
        if not AT_FOLDER:
            self.check()

    def check(self) -> None:
        """Raise OSError if this folder or one above it is now a link or has been replaced."""
        path = ""
        for step in self.from_top():
            path = os.path.join(path, step.name)
            status = os.lstat(path) if step.parent else os.stat(path)
            if not stat.S_ISDIR(status.st_mode) or _leads_elsewhere(status):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            step.verify(status)

    def verify(self, status: os.stat_result) -> None:
        """Raise OSError if *status* belongs to another folder than before."""
        found = _identity(status)
        if self.identity is None:
            self.identity = found
        elif self.identity != found:
            raise OSError(errno.ESTALE, "the folder was replaced", self.path())


class Folders:
    """A pool of open folders that keeps the *limit* most recently used; a context manager that closes them."""

    def __init__(self, limit: int = _MAX_OPEN) -> None:
        """Start with an empty pool."""
        self._limit = max(limit, 2)  # a folder and its parent
        self._open: OrderedDict[Folder, int] = OrderedDict()

    def __enter__(self) -> "Folders":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all folders; a later use opens them again."""
        while self._open:
            os.close(self._open.popitem()[1])

    def top(self, path: str, identity: tuple[int, int] | None = None, shown: str = "") -> Folder:
        """Return the folder at *path*, which may be a symlink."""
        return Folder(self, path, identity=identity, shown=shown)

    def descriptor(self, folder: Folder) -> int:
        """Return the descriptor of *folder*, opened through its nearest open ancestor if needed; raises OSError."""
        if (known := self._open.get(folder)) is not None:
            self._open.move_to_end(folder)
            return known
        missing = [folder]
        while (parent := missing[-1].parent) is not None and parent not in self._open:
            missing.append(parent)
        descriptor = None
        if parent is not None:
            self._open.move_to_end(parent)
            descriptor = self._open[parent]
        for step in reversed(missing):
            descriptor = self._step(step, descriptor)
        return self._open[folder]

    def _step(self, folder: Folder, parent: int | None) -> int:
        """Open *folder* relative to the descriptor *parent*; close the least recently used if too many are open."""
        descriptor = os.open(folder.name, _READ_FOLDER | (NO_FOLLOW if folder.parent else 0), dir_fd=parent)
        try:
            folder.verify(os.fstat(descriptor))
        except OSError:
            os.close(descriptor)
            raise
        self._open[folder] = descriptor
        if len(self._open) > self._limit:
            os.close(self._open.popitem(last=False)[1])
        return descriptor


def read_small(folder: Folder, name: str, limit: int) -> bytes | None:
    """Return the content of the regular file *name* of at most *limit* bytes, or None if it does not exist.

    Raises GeneratorError for anything else, a symlink too, and for a file that changes during the read.
    """
    shown = folder.path(name, shown=True)
    try:
        try:
            found = folder.stat(name)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode) or _leads_elsewhere(found):
            raise GeneratorError(f"{shown}: not a regular file; hint: replace it with one, or remove it")
        with os.fdopen(folder.open(name), "rb") as file:
            if _identity(os.fstat(file.fileno())) != _identity(found):
                raise changed(shown)
            data = file.read(limit + 1)
    except OSError as error:
        raise unread(shown, error) from error
    if len(data) > limit:
        raise too_large(shown, limit)
    return data


def open_below(top: Folder, path: str) -> io.BufferedReader:
    """Open the regular file at *path*, with slashes between its parts, below *top*; raises OSError."""
    *parents, name = path.split("/")
    if not name or {"", ".", ".."} & {*parents, name}:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    folder = top
    for part in parents:
        _refuse_link(folder, part)
        folder = folder.child(part)
    _refuse_link(folder, name)
    return os.fdopen(folder.open(name), "rb")


def _refuse_link(folder: Folder, name: str) -> None:
    """Raise OSError with a hint if *name* is a link; opening refuses a link that is made later."""
    if _leads_elsewhere(folder.stat(name)):
        raise OSError(errno.ELOOP, "symlinks are not followed; hint: copy the folder by `cp -rL`", name)


def changed(path: str) -> GeneratorError:
    """Return the error for a file that changed after it was listed."""
    return GeneratorError(f"{path}: changed while the image was made; hint: run again when nothing writes to it")


def unread(path: str, error: OSError) -> GeneratorError:
    """Return the error for a listed file that cannot be opened or read."""
    if isinstance(error, NotRegularError) or error.errno in _CHANGED:
        return changed(path)
    return unreadable(path, error)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _leads_elsewhere(status: os.stat_result) -> bool:
    """Return True for a symlink, a junction or the like."""
    return stat.S_ISLNK(status.st_mode) or bool(getattr(status, "st_reparse_tag", 0) & _NAME_SURROGATE)
