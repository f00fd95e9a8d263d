# SPDX-License-Identifier: Apache-2.0
"""Files written whole or not at all, and the lock that keeps two runs apart."""

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
    """Hold the lock of *folder*, waiting for whoever has it; the kernel frees it when a process dies.

    Raises GeneratorError when the wait is longer than WINSCRATCH_TIMEOUT: whoever may read a folder can hold its lock.
    """
    try:
        descriptor = open_lock(folder)
    except OSError as error:
        raise GeneratorError(f"{error.filename or folder}: {error.strerror}") from error
    try:
        seconds = timeout() or LOCK_SECONDS
        deadline = None
        while not try_lock(descriptor, shared=shared):
            if deadline is None:
                deadline = time.monotonic() + seconds
                note(f"waiting for another run to end, which holds the lock of {folder}")
            if time.monotonic() > deadline:
                raise GeneratorError(
                    f"{folder}: another run holds its lock for more than {seconds} s; "
                    "end that, or set WINSCRATCH_TIMEOUT to wait longer"
                )
            time.sleep(0.05)
        yield
    except OSError as error:
        raise GeneratorError(f"{error.filename or folder}: {error.strerror}") from error
    finally:
        close_lock(descriptor)


class _Folder(NamedTuple):
    """A folder that files are written in: open, so that no one can put another in its place, where the system can."""

    path: str
    descriptor: int | None

    def name(self, name: str) -> str:
        """Return what to call the file *name* in calls that are given the descriptor."""
        return name if self.descriptor is not None else os.path.join(self.path, name)

    def has(self, name: str) -> bool:
        """Tell whether there is anything called *name*, a link that leads nowhere included."""
        with contextlib.suppress(FileNotFoundError):
            os.stat(self.name(name), dir_fd=self.descriptor, follow_symlinks=False)
            return True
        return False

    def take(self, path: "Path | str", name: str) -> None:
        """Move the file at *path* here, in the place of *name*."""
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
    """Give each file its new content: all are written beside their places first, then renamed, *last* after the rest.

    *remove* names files to delete, with folders that this empties, between the others and *last*. No step of
    the way from the folder *below* to a file may be a link; without *below*, folders are whatever their names
    lead to. Raises GeneratorError, with every file as it was, where one cannot be written.
    """
    ready: list[tuple[_Folder, str, Path]] = []
    left = "nothing was changed"
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
            left = "some files were changed; fix that and give the command again"
            for folder, temporary, path in ready:
                if path != last:
                    _rename(folder, temporary, path)
            for path in remove:
                _remove(path, below or path.parent)
            for folder, temporary, path in ready:
                if path == last:
                    _rename(folder, temporary, path)
        except OSError as error:
            raise GeneratorError(f"{path}: cannot be written: {error.strerror}; {left}") from error
        finally:
            for folder, temporary, _ in ready:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder.descriptor)


@contextlib.contextmanager
def folder_below(path: "Path", below: "Path") -> Iterator[_Folder]:
    """Open the folder *path* below *below*, made if need be; raises OSError if a step on the way is a link."""
    with contextlib.ExitStack() as stack:
        yield _open_folder(path, below, stack)


def _open_folder(path: "Path", below: "Path", stack: contextlib.ExitStack) -> _Folder:
    """Open the folder *path*, which is *below* or lies below it, making what is not there of the way."""
    below.mkdir(parents=True, exist_ok=True)
    folder = _step(_Folder("", None), str(below), stack)
    for part in path.relative_to(below).parts:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder.name(part), dir_fd=folder.descriptor)
        folder = _step(folder, part, stack, follow=False)
    return folder


def _step(folder: _Folder, name: str, stack: contextlib.ExitStack, *, follow: bool = True) -> _Folder:
    """Open the folder *name* of *folder*; raises OSError where that is a link, unless *follow*."""
    path, called = os.path.join(folder.path, name), folder.name(name)
    if not follow and is_link(os.stat(called, dir_fd=folder.descriptor, follow_symlinks=False)):
        raise OSError(errno.ELOOP, "a link stands in the place of a folder", path)
    if not _DESCRIPTORS:
        return _Folder(path, None)
    flags = os.O_RDONLY | os.O_DIRECTORY | (0 if follow else os.O_NOFOLLOW)  # it may have become a link since
    descriptor = os.open(called, flags, dir_fd=folder.descriptor)
    stack.callback(os.close, descriptor)
    return _Folder(path, descriptor)


def is_link(status: os.stat_result) -> bool:
    """Tell whether *status* is of a link, or of what leads elsewhere as one on Windows, a junction among them."""
    attributes = getattr(status, "st_file_attributes", 0)
    return stat.S_ISLNK(status.st_mode) or bool(attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT)


def _write_beside(folder: _Folder, temporary: str, path: "Path", data: bytes) -> None:
    """Write *data* to a new file of *folder*, with the permissions of the file that it is to replace."""
    mode = None
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(folder.name(path.name), dir_fd=folder.descriptor, follow_symlinks=False).st_mode
        if stat.S_ISDIR(found):
            raise GeneratorError(f"{path}: a directory stands in the place of a file; move it away")
        mode = found & 0o7777 if stat.S_ISREG(found) else None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW | getattr(os, "O_BINARY", 0)
    with open(os.open(temporary, flags, 0o666, dir_fd=folder.descriptor), "wb") as file:
        file.write(data)
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), mode)


def _rename(folder: _Folder, temporary: str, path: "Path") -> None:
    os.replace(temporary, folder.name(path.name), src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)


def _remove(path: "Path", below: "Path") -> None:
    """Delete a file, and its folder where that empties it."""
    if path.parent.is_dir():
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as stack:
            folder = _open_folder(path.parent, below, stack)
            os.unlink(folder.name(path.name), dir_fd=folder.descriptor)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()


def sweep(folder: "Path", *, deep: bool = True) -> None:
    """Remove what a killed run left half-written in *folder* and, if *deep*, below; the lock is held, so it is dead."""
    for temporary in (folder.rglob if deep else folder.glob)(f".*{TEMPORARY}"):
        if not temporary.is_dir() or temporary.is_symlink():
            temporary.unlink(missing_ok=True)
