# SPDX-License-Identifier: Apache-2.0
"""Write selected entries below a new folder, without following any link.

Each folder is opened relative to its open parent (base.folders), each file is created there with O_EXCL, and symlinks
are made last. So no name, link or race leads out of the folder.
"""

import contextlib
import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ..base.errors import GeneratorError, counted
from ..base.folders import AT_FOLDER, Folder, Folders
from ..base.reading import NO_FOLLOW
from ..imageread.untar import DIRECTORY, HARD_LINK, SYMBOLIC_LINK, TarEntry
from ..views.spool import CHUNK, Stored
from ..views.unpacked_layers import MAX_UNPACKED
from .selection import Item, Lost

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | getattr(os, "O_BINARY", 0)
_MOST_PARTS: Final = 250  # of a path; Windows itself has 20
_MOST_BYTES: Final = 4000 if os.name != "nt" else 32_000  # of a path, below Linux's limit of 4,096
_ZEROS: Final = bytes(CHUNK)
# Errors of a system that cannot hold a name: too long, in another encoding or reserved, or equal to another name.
_NAMES: Final = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EEXIST, errno.EISDIR, errno.ENOTDIR}
_NO_LINKS: Final = {errno.EMLINK, errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def write(items: Iterable[Item], top: str, lost: Lost) -> str:
    """Write *items* below the empty folder *top*, in their order; raise OSError if it cannot be written.

    Return the numbers of files, directories and links written, and of the files' bytes, as text. A name that this
    system cannot hold, and all below it, goes to *lost*.
    """
    if os.name == "nt":  # else a path has at most 260 characters
        top = f"\\\\?\\{Path(top).resolve()}"
    with Folders() as pool:
        writer = _Writer(pool.top(top), lost)
        for item in items:
            writer.add(item)
        return writer.finish()


class _Writer:
    def __init__(self, top: Folder, lost: Lost) -> None:
        self._top, self._lost = top, lost
        self._folders = {"": top}
        self._times: list[tuple[Folder, int]] = []
        self._files = self._links = self._size = self._copied = 0

    def add(self, item: Item) -> None:
        """Write an item, or report why this system cannot hold it."""
        entry = item.entry
        parent, _, name = entry.name.rpartition("/")
        folder = self._folders.get(parent)
        if folder is None:
            self._lost(entry.name, "its directory is left out")
        elif entry.name.count("/") >= _MOST_PARTS:
            self._lost(entry.name, f"the path has more than {_MOST_PARTS} parts")
        elif len(os.fsencode(entry.name)) > _MOST_BYTES:
            self._lost(entry.name, f"the path is longer than {_MOST_BYTES:,} bytes")
        elif entry.kind == SYMBOLIC_LINK and os.name == "nt":
            self._lost(entry.name, "a symlink, which needs privileges on Windows")
        else:
            try:
                self._write(folder, name, item)
            except OSError as error:
                no_links = entry.kind == SYMBOLIC_LINK and error.errno in _NO_LINKS
                if error.errno not in _NAMES and not no_links:
                    raise
                what = "symlink" if no_links else "name"
                self._lost(entry.name, f"this system cannot hold the {what}: {error.strerror}")

    def _write(self, folder: Folder, name: str, item: Item) -> None:
        at, descriptor = folder.at(name)
        entry = item.entry
        if entry.kind == DIRECTORY:
            os.mkdir(at, dir_fd=descriptor)
            self._folders[entry.name] = folder.child(name)
            self._times.append((self._folders[entry.name], entry.modified))
        elif entry.kind == SYMBOLIC_LINK:
            os.symlink(item.target, at, dir_fd=descriptor)
            self._links += 1
        elif item.content is not None and not (entry.kind == HARD_LINK and self._linked(folder, name, item.target)):
            self._copied += len(item.content) if entry.kind == HARD_LINK else 0
            if self._copied > MAX_UNPACKED:
                raise GeneratorError(f"{entry.name}: copies of hard links have more than {MAX_UNPACKED:,} bytes")
            self._file(folder, name, item.content, entry)

    def _linked(self, folder: Folder, name: str, target: str) -> bool:
        """Make a hard link to the file at *target*; return False if the file system has none, or the file is lost."""
        parent, _, other = target.rpartition("/")
        source = self._folders.get(parent)
        if source is None:
            return False
        (old, old_at), (new, new_at) = source.at(other), folder.at(name)
        try:
            os.link(old, new, src_dir_fd=old_at, dst_dir_fd=new_at, follow_symlinks=not AT_FOLDER)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return False
        self._files += 1
        return True

    def _file(self, folder: Folder, name: str, content: Stored, entry: TarEntry) -> None:
        at, descriptor = folder.at(name)
        with os.fdopen(os.open(at, _CREATE, 0o666, dir_fd=descriptor), "wb") as file:
            for chunk in content.chunks():
                if chunk == _ZEROS:
                    file.seek(CHUNK, os.SEEK_CUR)  # a hole
                else:
                    file.write(chunk)
            file.truncate(len(content))  # also writes the buffer, before the time is set
            _set_time(file.fileno(), at, entry.modified)
        self._files += 1
        self._size += len(content)

    def finish(self) -> str:
        """Set the times of the directories, the deepest first; return what was written."""
        for folder, time in reversed(self._times):
            at, descriptor = folder.at("")
            _set_time(descriptor, at, time)
        directories = f"{len(self._times):,} director{'y' if len(self._times) == 1 else 'ies'}"
        links = f", {counted(self._links, 'link')}" * bool(self._links)
        return f"{counted(self._files, 'file')}, {directories}{links}, {counted(self._size, 'byte')}"


def _set_time(descriptor: int | None, path: str, time: int) -> None:
    """Set the mtime, in nanoseconds from 1970, of an open file or, on Windows, of that at *path*, if it can be set."""
    by_descriptor = os.utime in os.supports_fd and descriptor is not None
    with contextlib.suppress(OSError, OverflowError):
        os.utime(descriptor if by_descriptor and descriptor is not None else path, ns=(time, time))
