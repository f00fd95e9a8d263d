# SPDX-License-Identifier: Apache-2.0
"""Files written whole or not at all, and the lock that keeps two runs apart."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from .console import Say
from .errors import GeneratorError
from .manifest import TEMPORARY

if TYPE_CHECKING:
    from pathlib import Path


@contextlib.contextmanager
def lock(folder: "Path | str", note: Say, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of *folder*, waiting for whoever has it; the kernel frees it when a process dies.

    The folder itself is locked, so no file is left behind and a read-only checkout will do.
    """
    try:
        import fcntl  # absent on Windows, where only the check runs
    except ImportError:
        yield
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise GeneratorError(f"{folder}: {error.strerror}") from error
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            note("waiting for another run to end")
            fcntl.flock(descriptor, kind)
        yield
    except OSError as error:
        raise GeneratorError(f"{error.filename or folder}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def replace(files: "Mapping[Path, bytes]", last: "Path | None" = None, remove: "Iterable[Path]" = ()) -> None:
    """Give each file its new content: all are written beside their places first, then renamed, *last* after the rest.

    *remove* names files to delete, with folders that this empties, between the others and *last*.
    Raises GeneratorError, with every file as it was, where one cannot be written.
    """
    ready: list[tuple[Path, Path]] = []
    left = "nothing was changed"
    path: Path | None = None
    try:
        for path, data in files.items():
            if path.is_dir():
                raise GeneratorError(f"{path}: a directory stands in the place of a file; move it away")
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.parent / f".{path.name}{TEMPORARY}"
            ready.append((temporary, path))
            temporary.write_bytes(data)
            if path.exists():
                temporary.chmod(path.stat().st_mode & 0o7777)
        left = "some files were changed; mend that and give the command again"
        for temporary, path in ready:
            if path != last:
                temporary.replace(path)
        for path in remove:
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        for temporary, path in ready:
            if path == last:
                temporary.replace(path)
    except OSError as error:
        raise GeneratorError(f"{path}: cannot be written: {error.strerror}; {left}") from error
    finally:
        for temporary, _ in ready:
            with contextlib.suppress(OSError):
                temporary.unlink()


def sweep(folder: "Path") -> None:
    """Remove what a killed run left half-written below *folder*; the lock is held, so no one writes there now."""
    for temporary in folder.rglob(f".*{TEMPORARY}"):
        temporary.unlink(missing_ok=True)
