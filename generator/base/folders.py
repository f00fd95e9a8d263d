# SPDX-License-Identifier: Apache-2.0
"""Open files in untrusted folders without following symlinks, whatever is exchanged meanwhile.

Each folder is opened by its name in its open parent (openat with O_NOFOLLOW) and must be the one that was found before,
by the numbers of its device and inode. So no exchange of a folder for a symlink leads out of the top folder.

Windows has no openat. There a file is opened by its path first; then each folder on the way must be the one that was
found and no link, and the path must still name the open file. That order is safe because Windows renames no folder in
which a file is open.
"""

import contextlib
import errno
import io
import os
import stat
from collections import OrderedDict
from typing import TYPE_CHECKING

from .errors import GeneratorError
from .reading import NO_FOLLOW, NO_WAIT

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_FOLDER = {os.open, os.stat, os.readlink} <= os.supports_dir_fd and os.scandir in os.supports_fd  # not on Windows
READ = os.O_RDONLY | NO_WAIT | NO_FOLLOW | getattr(os, "O_NOCTTY", 0)
_READ_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_MOST_OPEN = 64  # folders; macOS gives a process 256 descriptors, unless it is told otherwise
_NAME_SURROGATE = 0x20000000  # bit of a reparse tag on Windows: leads to another path, as symlinks and junctions do
_CHANGED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EMLINK, errno.ESTALE, errno.ENXIO}


class Folder:
    """A folder by its *name* in *parent*, or by a path, which may be a symlink, if it has no parent.

    *identity* holds the numbers of device and inode; without it, the first opening decides. *shown* is the top folder's
    name in errors.
    """

    __slots__ = ("_pool", "depth", "identity", "name", "parent", "shown")

    def __init__(
        self,
        pool: "Folders",
        name: str,
        *,
        parent: "Folder | None" = None,
        identity: tuple[int, int] | None = None,
        shown: str = "",
    ) -> None:
        """Open nothing yet."""
        self._pool = pool
        self.name = name
        self.parent = parent
        self.identity = identity
        self.shown = shown or name
        self.depth: int = parent.depth + 1 if parent else 0

    def child(self, name: str, identity: tuple[int, int] | None = None) -> "Folder":
        """Return the folder *name* in this one."""
        return Folder(self._pool, name, parent=self, identity=identity)

    def path(self, name: str = "", *, shown: bool = False) -> str:
        """Return the path of the folder, or of *name* in it; *shown* begins with the top folder's name in errors."""
        way = self.way()
        parts = [way[0].shown if shown else way[0].name, *(step.name for step in way[1:])]
        return os.path.join(*parts, name) if name else os.path.join(*parts)

    def way(self) -> list["Folder"]:
        """Return the folders from the top one to this one."""
        found = [self]
        while (parent := found[-1].parent) is not None:
            found.append(parent)
        return found[::-1]

    def open(self, name: str) -> int:
        """Return a descriptor of the file *name* for reading, without waiting for a pipe; raises OSError."""
        if AT_FOLDER:
            return os.open(name, READ, dir_fd=self._pool.descriptor(self))
        path = self.path(name)
        opened = os.open(path, READ)
        try:
            self.check()
            status = os.lstat(path)
            if _leads_elsewhere(status) or _identity(status) != _identity(os.fstat(opened)):
                raise OSError(errno.ESTALE, "changed while it was opened", path)
        except BaseException:
            os.close(opened)
            raise
        return opened

    def stat(self, name: str, *, follow: bool = False) -> os.stat_result:
        """Return the status of *name*; raises OSError."""
        if AT_FOLDER:
            return os.stat(name, dir_fd=self._pool.descriptor(self), follow_symlinks=follow)
        return os.stat(self.path(name), follow_symlinks=follow)

    def readlink(self, name: str) -> str:
        """Return the text of the symlink *name*; raises OSError."""
        if AT_FOLDER:
            return os.readlink(name, dir_fd=self._pool.descriptor(self))
        return os.readlink(self.path(name))

    @contextlib.contextmanager
    def scan(self) -> "Iterator[Iterator[os.DirEntry[str]]]":
        """List the folder; raises OSError. The `path` of an item is its name alone if AT_FOLDER."""
        if not AT_FOLDER:
            self.check()
        with os.scandir(self._pool.descriptor(self) if AT_FOLDER else self.path()) as listed:
            yield listed
        if not AT_FOLDER:
            self.check()

    def check(self) -> None:
        """Raise OSError if a folder on the way, by its path, is a link or another one than before."""
        path = ""
        for step in self.way():
            path = os.path.join(path, step.name)
            status = os.lstat(path) if step.parent else os.stat(path)
            if not stat.S_ISDIR(status.st_mode) or _leads_elsewhere(status):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            step.verify(status)

    def verify(self, status: os.stat_result) -> None:
        """Raise OSError if *status* is of another folder than before."""
        found = _identity(status)
        if self.identity is None:
            self.identity = found
        elif self.identity != found:
            raise OSError(errno.ESTALE, "another folder stands in its place", self.path())


class Folders:
    """Open folders, of which the *most* recently used stay open; a context manager that closes them."""

    def __init__(self, most: int = _MOST_OPEN) -> None:
        """Open nothing yet."""
        self._most = max(most, 2)  # a folder and its parent
        self._open: OrderedDict[Folder, int] = OrderedDict()

    def __enter__(self) -> "Folders":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all; what is used afterwards is opened again."""
        while self._open:
            os.close(self._open.popitem()[1])

    def top(self, path: str, identity: tuple[int, int] | None = None, shown: str = "") -> Folder:
        """Return the folder at *path*, which may be a symlink."""
        return Folder(self, path, identity=identity, shown=shown)

    def descriptor(self, folder: Folder) -> int:
        """Return the descriptor of *folder*, opened from the nearest open folder above it; raises OSError."""
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
        """Open *folder* by the descriptor of its *parent*; close the one used least recently if there are too many."""
        opened = os.open(folder.name, _READ_FOLDER | (NO_FOLLOW if folder.parent else 0), dir_fd=parent)
        try:
            folder.verify(os.fstat(opened))
        except OSError:
            os.close(opened)
            raise
        self._open[folder] = opened
        if len(self._open) > self._most:
            os.close(self._open.popitem(last=False)[1])
        return opened


def open_file(path: str) -> int:
    """Return a descriptor of the file at *path*, which is no symlink, without waiting for a pipe; raises OSError."""
    return os.open(path, READ)


def read_small(folder: Folder, name: str, limit: int) -> bytes | None:
    """Return the content of the regular file *name* of at most *limit* bytes, or None if there is none.

    Raises GeneratorError for anything else, a symlink among them, and for a file that changes meanwhile.
    """
    shown = folder.path(name, shown=True)
    try:
        try:
            found = folder.stat(name)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode) or _leads_elsewhere(found):
            raise GeneratorError(f"{shown}: not a regular file; replace it with one, or remove it")
        with os.fdopen(folder.open(name), "rb") as file:
            status = os.fstat(file.fileno())
            if _identity(status) != _identity(found) or not stat.S_ISREG(status.st_mode):
                raise changed(shown)
            data = file.read(limit + 1)
    except OSError as error:
        raise unread(shown, error) from error
    if len(data) > limit:
        raise GeneratorError(f"{shown}: larger than {limit:,} bytes, which no such file is")
    return data


def open_below(top: Folder, path: str) -> io.BufferedReader:
    """Open the regular file at *path*, with slashes between its parts, below *top*; raises OSError if it is none."""
    *parents, name = path.split("/")
    if not name or {"", ".", ".."} & {*parents, name}:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    folder = top
    for part in parents:
        _refuse_link(folder, part)
        folder = folder.child(part)
    _refuse_link(folder, name)
    opened = folder.open(name)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(errno.EINVAL, "it is no regular file")
    return os.fdopen(opened, "rb")


def _refuse_link(folder: Folder, name: str) -> None:
    """Raise OSError with a hint for a link; opening refuses one that comes later."""
    if _leads_elsewhere(folder.stat(name)):
        raise OSError(errno.ELOOP, "it is a link, which is not followed; copy the folder by `cp -rL`", name)


def changed(path: str) -> GeneratorError:
    """Return the error for a file that is not the one that was found."""
    return GeneratorError(f"{path}: changed while the image was made; give the command again when it is still")


def unread(path: str, error: OSError) -> GeneratorError:
    """Return the error for a file that was found and cannot be opened or read."""
    return changed(path) if error.errno in _CHANGED else GeneratorError(f"{path}: cannot be read: {error.strerror}")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _leads_elsewhere(status: os.stat_result) -> bool:
    """Tell whether *status* is of a symlink, a junction or the like."""
    return stat.S_ISLNK(status.st_mode) or bool(getattr(status, "st_reparse_tag", 0) & _NAME_SURROGATE)
