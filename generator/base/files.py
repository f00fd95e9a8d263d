# SPDX-License-Identifier: Apache-2.0
"""Write files atomically, and lock a folder against other runs."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from .console import Say
from .errors import GeneratorError
from .home import TEMPORARY
from .locking import close_lock, open_lock, try_lock
from .reading import NO_FOLLOW
from .settings import timeout

if TYPE_CHECKING:
    from pathlib import Path

_DESCRIPTORS = {os.open, os.mkdir, os.stat, os.unlink, os.rename} <= os.supports_dir_fd  # not on Windows
LOCK_SECONDS = 600  # to wait for another run, unless WINSCRATCH_TIMEOUT says otherwise


@contextlib.contextmanager
def lock(folder: "Path | str", note: Say, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of *folder*, waiting for other runs; the kernel releases it when a process dies.

    Raises GeneratorError after WINSCRATCH_TIMEOUT, since any process that can read the folder can hold its lock.
    """
    try:
        with contextlib.ExitStack() as stack:
            descriptor = open_lock(folder)
            stack.callback(close_lock, descriptor)
            seconds = timeout() or LOCK_SECONDS
            deadline = None
            while not try_lock(descriptor, shared=shared):
                if deadline is None:
                    deadline = time.monotonic() + seconds
                    note(f"waiting for the lock of {folder}, which another run holds")
                if time.monotonic() > deadline:
                    raise GeneratorError(
                        f"{folder}: locked by another run for more than {seconds} s; "
                        "hint: end that run, or set WINSCRATCH_TIMEOUT to wait longer"
                    )
                time.sleep(0.05)
            yield
    except OSError as error:
        raise GeneratorError(f"{error.filename or folder}: {error.strerror}") from error


class _Folder(NamedTuple):
    """A folder that files are written in, kept open (not on Windows) so that it cannot be swapped."""

    path: str
    descriptor: int | None

    def name(self, name: str) -> str:
        """Return the name of the file *name* for calls that take the descriptor."""
        return name if self.descriptor is not None else os.path.join(self.path, name)

    def has(self, name: str) -> bool:
        """Return True if *name* exists, a dangling link included."""
        with contextlib.suppress(FileNotFoundError):
            os.stat(self.name(name), dir_fd=self.descriptor, follow_symlinks=False)
            return True
        return False

    def take(self, path: "Path | str", name: str) -> None:
        """Move the file at *path* into this folder as *name*, replacing that."""
        os.replace(path, self.name(name), dst_dir_fd=self.descriptor)

    def remove(self, name: str) -> None:
        """Remove the file *name* if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.name(name), dir_fd=self.descriptor)


def replace(
    files: "Mapping[Path, bytes]",
    last: "Path | None" = None,
    remove: "Iterable[Path]" = (),
    *,
    below: "Path | None" = None,
) -> None:
    """Write each file's new content to temporary files, then rename all of them, *last* after the rest.

    *remove* names files to delete before *last* is renamed; folders that this empties go too. No folder from *below*
    to a file may be a link; without *below*, links are followed. Raises GeneratorError, with every file unchanged, if
    one cannot be written.
    """
    ready: list[tuple[_Folder, str, Path]] = []
    state = ", and nothing was changed"
    path: Path | None = None
    with contextlib.ExitStack() as stack:
        folders: dict[Path, _Folder] = {}
        try:
            for path, data in files.items():
                if path.parent not in folders:
                    folders[path.parent] = _open_folder(path.parent, below or path.parent, stack)
                folder = folders[path.parent]
                ready.append((folder, folder.name(f".{os.urandom(8).hex()}{TEMPORARY}"), path))
                _write_beside(folder, ready[-1][1], path, data)
            state = ", and some files were changed; hint: fix that and run the command again"
            for folder, temporary, path in ready:
                if path != last:
                    _rename(folder, temporary, path)
            for path in remove:
                _remove(path, below or path.parent)
            for folder, temporary, path in ready:
                if path == last:
                    _rename(folder, temporary, path)
        except OSError as error:
            raise GeneratorError(f"{path}: cannot be written: {error.strerror}{state}") from error
        finally:
            for folder, temporary, _ in ready:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder.descriptor)


@contextlib.contextmanager
def folder_below(path: "Path", below: "Path") -> Iterator[_Folder]:
    """Open the folder *path* below *below*, created if missing; raises OSError if a folder between is a link."""
    with contextlib.ExitStack() as stack:
        yield _open_folder(path, below, stack)


def _open_folder(path: "Path", below: "Path", stack: contextlib.ExitStack) -> _Folder:
    """Open the folder *path*, which is *below* or inside it, creating missing folders."""
    below.mkdir(parents=True, exist_ok=True)
    folder = _step(_Folder("", None), str(below), stack)
    for part in path.relative_to(below).parts:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder.name(part), dir_fd=folder.descriptor)
        folder = _step(folder, part, stack, follow=False)
    return folder


def _step(folder: _Folder, name: str, stack: contextlib.ExitStack, *, follow: bool = True) -> _Folder:
    """Open the folder *name* in *folder*; raises OSError for a link unless *follow*."""
    path, called = os.path.join(folder.path, name), folder.name(name)
    if not follow and is_link(os.stat(called, dir_fd=folder.descriptor, follow_symlinks=False)):
        raise OSError(errno.ELOOP, "a link in place of a folder", path)
    if not _DESCRIPTORS:
        return _Folder(path, None)
    flags = os.O_RDONLY | os.O_DIRECTORY | (0 if follow else os.O_NOFOLLOW)  # it may have become a link since
    descriptor = os.open(called, flags, dir_fd=folder.descriptor)
    stack.callback(os.close, descriptor)
    return _Folder(path, descriptor)


def is_link(status: os.stat_result) -> bool:
    """Return True for a symlink or, on Windows, any reparse point such as a junction."""
    attributes = getattr(status, "st_file_attributes", 0)
    return stat.S_ISLNK(status.st_mode) or bool(attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT)


def _write_beside(folder: _Folder, temporary: str, path: "Path", data: bytes) -> None:
    """Write *data* to a new file in *folder*, with the permissions of the file that it will replace."""
    mode = None
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(folder.name(path.name), dir_fd=folder.descriptor, follow_symlinks=False).st_mode
        if stat.S_ISDIR(found):
            raise GeneratorError(f"{path}: a directory in place of a file; hint: move it away")
        mode = found & 0o7777 if stat.S_ISREG(found) else None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | getattr(os, "O_BINARY", 0)
    with open(os.open(temporary, flags, 0o666, dir_fd=folder.descriptor), "wb") as file:
        file.write(data)
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), mode)


def _rename(folder: _Folder, temporary: str, path: "Path") -> None:
    os.replace(temporary, folder.name(path.name), src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)


def _remove(path: "Path", below: "Path") -> None:
    """Delete a file, and its folder if that is then empty."""
    if path.parent.is_dir():
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as stack:
            folder = _open_folder(path.parent, below, stack)
            os.unlink(folder.name(path.name), dir_fd=folder.descriptor)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()


def sweep(folder: "Path", *, deep: bool = True) -> None:
    """Remove temporary files of killed runs from *folder* and, if *deep*, below; the caller holds the lock."""
    for temporary in (folder.rglob if deep else folder.glob)(f".*{TEMPORARY}"):
        if not temporary.is_dir() or temporary.is_symlink():
            temporary.unlink(missing_ok=True)
