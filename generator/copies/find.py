# SPDX-License-Identifier: Apache-2.0
"""Where copies of our modules are: a walk over files and folders for the line that every module bears."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import GeneratorError
from ..languages.table import endings, mark

_ENDINGS = endings()
_HEAD = 4096  # bytes; our line stands well within
_MARK = re.compile((mark() + r"\{").encode(), re.MULTILINE)
_QUICK_MARK = b"winscratch:{"
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # absent on Windows
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe must not block the search


def find(paths: Iterable[str]) -> list[str]:
    """Return the files at and below *paths* that bear our line, each once, sorted.

    In a git checkout what git ignores is left out, unless it is named itself; links are followed only
    where they are named. Raises GeneratorError for a path that is not there or cannot be read.
    """
    found: dict[str, str] = {}
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - a Path for each of 100,000 files takes longer than reading it
            candidates, flags = _below(path), _OPEN | _NO_FOLLOW
        elif os.path.exists(path):  # noqa: PTH110
            candidates, flags = iter((path,)), _OPEN
        else:
            raise GeneratorError(f"{path}: no such file or directory")
        for candidate in candidates:
            if _is_marked(candidate, flags):
                found.setdefault(os.path.abspath(candidate), os.path.normpath(candidate))  # noqa: PTH100
    return sorted(found.values())


def _is_marked(path: str, flags: int) -> bool:
    try:
        descriptor = os.open(path, flags)
        try:
            head = os.read(descriptor, _HEAD)
        finally:
            os.close(descriptor)
    except OSError as error:
        if flags & _NO_FOLLOW and (os.path.islink(path) or not os.path.lexists(path)):  # noqa: PTH114
            return False  # a link, or deleted but still in git's index
        raise GeneratorError(f"{path}: cannot be read: {error.strerror}") from error
    return _QUICK_MARK in head and _MARK.search(head) is not None


def _below(folder: str) -> Iterator[str]:
    """Yield the source files below *folder*, as git lists them wherever that is a checkout."""
    if _in_checkout(folder):
        listed = _git_files(folder)
        if listed is not None:
            yield from listed
            return
    folders = [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as scan:
                entries = list(scan)
        except OSError as error:
            raise GeneratorError(f"{error.filename}: cannot be read: {error.strerror}") from error
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name == ".git":
                    continue
                listed = _git_files(entry.path) if os.path.exists(entry.path + "/.git") else None  # noqa: PTH110
                if listed is None:
                    folders.append(entry.path)
                else:
                    yield from listed
            elif entry.name.endswith(_ENDINGS) and entry.is_file(follow_symlinks=False):
                yield entry.path


def _in_checkout(folder: str) -> bool:
    path = Path(folder).resolve()
    return any((parent / ".git").exists() for parent in (path, *path.parents))


def _git_files(folder: str) -> list[str] | None:
    """Return the source files below *folder* that git does not ignore, or None where git cannot say."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", folder, "ls-files", "-coz", "--exclude-standard"]
    # A hook's environment may name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=environment)
    except OSError:
        return None
    if done.returncode:
        return None
    names = os.fsdecode(done.stdout).split("\0")
    return [os.path.join(folder, name) for name in names if name.endswith(_ENDINGS)]  # noqa: PTH118
