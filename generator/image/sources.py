# SPDX-License-Identifier: Apache-2.0
"""The files and folders that an image is made of, to the list of what is in a layer."""

import io
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ..base.console import Say
from ..base.errors import GeneratorError, brief
from ..base.reading import read_file
from . import dockerignore
from .dockerignore import Patterns
from .model import Source
from .writer import writer

Kind = Literal["directory", "file", "file-link", "directory-link"]
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


_KIND_AND_SPECIAL_BITS = 0o177000  # of a mode
_JUNCTION = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT, a folder on Windows that is elsewhere


class Stamp(NamedTuple):
    """What tells that a file is still the one that it was: numbers of its device and itself, bytes, nanoseconds."""

    device: int
    number: int
    size: int
    modified: int
    changed: int
    mode: int
    links: int


class Entry(NamedTuple):
    """What a layer has at *path*, below C: and with a slash between its parts; *target* is a link's text.

    *source* is where it is read, and *stamp* what it was when it was found; both are empty for a directory that
    is there for what it holds alone.
    """

    path: str
    kind: Kind
    source: str = ""
    stamp: Stamp | None = None
    target: str = ""


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what *status* tells of a file."""
    return Stamp(
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_mode & _KIND_AND_SPECIAL_BITS,  # Windows has the others differ by how it is asked
        status.st_nlink,
    )


def place(dest: str, shown: str = "DEST") -> str:
    """Return a Windows path with a slash between its parts and without its drive, which can only be C.

    Raises GeneratorError that says what the path is by *shown*.
    """
    path = dest.replace("\\", "/")
    if path[1:2] == ":":
        if path[0] not in "Cc":
            raise GeneratorError(f"{shown} {dest}: an image has one drive; give a path on C:")
        path = path[2:]
    elif path.startswith("//"):
        raise GeneratorError(f"{shown} {dest}: a share is no place in an image; give a path on C:")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise GeneratorError(f"{shown} {dest}: leads upwards; give the path without ..")
    if reason := _wrong("/".join(parts)):
        raise GeneratorError(f"{shown} {dest}: {reason}; give a path that Windows can have, such as C:\\app")
    return "/".join(parts)


def _wrong(path: str) -> str | None:
    """Return why a layer can have nothing at *path*, or None; C: itself is empty."""
    files = writer()
    try:
        if path:
            files.Writer(io.BytesIO()).add_directory(path)
    except files.FilesError as error:
        return str(files.REASONS[error.code])
    return None


def refuse_inside(target: Path, sources: Sequence[Source]) -> None:
    """Raise GeneratorError where *target*, which is to be written, lies in a folder that is to be read."""
    real = Path(os.path.realpath(target))
    for source in sources:
        try:
            top = Path(os.path.realpath(source.path))
        except (OSError, ValueError) as error:
            raise _unread(os.fspath(source.path), error) from error
        if real == top or top in real.parents:
            raise GeneratorError(f"{target}: lies in {source.path}, which goes into the image; write it elsewhere")


def collect(sources: Sequence[Source], exclude: Sequence[str], note: Say) -> list[Entry]:
    """Return what *sources* put into one layer, in the order of the bytes of the paths' UTF-8.

    Links are kept, and no folder is entered through one, but where a source is itself a link. Raises
    GeneratorError for what cannot be read, what no layer can hold, and a path that two sources have.
    """
    found: dict[str, Entry] = {}
    patterns = dockerignore.parse(exclude, "--exclude")
    for source in sources:
        for entry in _entries(source, patterns, note):
            known = found.setdefault(entry.path, entry)
            if known is not entry and {known.kind, entry.kind} != {"directory"}:
                raise GeneratorError(
                    f"C:/{entry.path}: comes from {known.source} and from {entry.source}; give one another DEST"
                )
    for path in list(found):
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found[parent] = Entry(parent, "directory")
            parent = parent.rpartition("/")[0]
    entries = (found[path] for path in sorted(found))
    return [_linked(entry, found) if entry.kind == "file-link" else entry for entry in entries]


def _entries(source: Source, exclude: Patterns, note: Say) -> Iterator[Entry]:
    """Yield what one source has, in no order."""
    top = os.fspath(source.path)
    dest = place(source.dest)
    try:
        stamp = stamp_of(os.stat(top))
    except (OSError, ValueError) as error:
        before = next((top[:at] for at in _colons(top) if os.path.lexists(top[:at])), None)
        if isinstance(error, FileNotFoundError) and before is not None:
            after = top[len(before) + 1 :]
            raise GeneratorError(rf"{top}: DEST '{after}' must begin with /, \ or a drive (C:\)") from error
        raise _unread(top, error) from error
    if stat.S_ISDIR(stamp.mode):
        if dest:
            yield Entry(dest, "directory", top, stamp)
        yield from _folder(top, dest, _filters(top, exclude, note))
    elif stat.S_ISREG(stamp.mode):
        into = not dest or source.dest[-1] in "/\\"
        name = os.path.basename(os.path.abspath(top))
        if into and (reason := _wrong(name)):
            raise GeneratorError(rf"{top}: {reason}; rename it, or give a DEST with another name, as C:\app\name")
        yield Entry(f"{dest}/{name}".lstrip("/") if into else dest, "file", os.path.realpath(top), stamp)
    else:
        raise GeneratorError(f"{_special(top, stamp)}; give a file or folder")


def _colons(text: str) -> Iterator[int]:
    """Yield where *text* has colons, the last first."""
    at = len(text)
    while (at := text.rfind(":", 0, at)) > 0:
        yield at


def _filters(top: str, exclude: Patterns, note: Say) -> Mapping[str, Patterns]:
    """Return the patterns that hold in a folder, by what stands before a path that they are matched with.

    A .dockerignore is looked for in the folder, and if there is none, beside it, as it is where the folder is a
    part of what Docker would build.
    """
    real = os.path.realpath(top)
    for folder, before in ((real, ""), (os.path.dirname(real), os.path.basename(real) + "/")):
        path = os.path.join(folder, dockerignore.FILE)
        if os.path.lexists(path):
            text = read_file(path, path, dockerignore.MAX_FILE).decode("utf-8", "surrogateescape")
            note(f"{top}: without what {path} names")
            patterns = dockerignore.parse_file(text, path)
            return {before: patterns, "": exclude} if before else {"": Patterns(patterns.rules + exclude.rules)}
    return {"": exclude}


def _folder(top: str, dest: str, filters: Mapping[str, Patterns]) -> Iterator[Entry]:
    """Yield what lies in a folder; *dest* is empty for C: itself."""
    start = f"{dest}/" if dest else ""
    brings_back = any(patterns.brings_back for patterns in filters.values())
    asked = [(before, patterns) for before, patterns in filters.items() if patterns.rules]
    hidden: dict[str, Entry] = {}  # excluded folders, by path, that may hold what is not
    waiting = [(top, "")]
    while waiting:
        folder, inside = waiting.pop()
        try:
            with os.scandir(folder) as listed:
                for item in listed:
                    path = inside + item.name
                    out = bool(asked) and any(patterns.exclude(before + path) for before, patterns in asked)
                    if out and not (brings_back and item.is_dir(follow_symlinks=False)):
                        continue
                    entry = _entry(item, start + path)
                    if entry.kind == "directory":
                        waiting.append((item.path, path + "/"))
                    if out:
                        hidden[path] = entry
                        continue
                    if hidden:
                        yield from _shown(path, hidden)
                    yield entry
        except OSError as error:
            raise _unread(error.filename or folder, error) from error


def _shown(path: str, hidden: dict[str, Entry]) -> Iterator[Entry]:
    """Yield the excluded folders on the way to *path*, which is not excluded, each once."""
    while path := path.rpartition("/")[0]:
        if path in hidden:
            yield hidden.pop(path)


def _entry(item: "os.DirEntry[str]", path: str) -> Entry:
    if os.name == "nt":  # where what a folder tells of its files lacks their numbers
        status = os.lstat(item.path)
        if getattr(status, "st_reparse_tag", 0) == _JUNCTION:
            raise GeneratorError(f"{item.path}: a junction, which leads elsewhere; leave it out with --exclude")
    else:
        status = item.stat(follow_symlinks=False)
    stamp = stamp_of(status)
    kind = stat.S_IFMT(stamp.mode)
    if kind == stat.S_IFREG:
        return Entry(path, "file", item.path, stamp)
    if kind == stat.S_IFDIR:
        return Entry(path, "directory", item.path, stamp)
    if kind == stat.S_IFLNK:
        return Entry(path, "file-link", item.path, stamp, os.readlink(item.path))
    raise GeneratorError(f"{_special(item.path, stamp)}; leave it out with --exclude")


def _linked(entry: Entry, found: Mapping[str, Entry]) -> Entry:
    """Return a link, as one to a directory where it leads to one.

    A relative link is followed where it lies. One that begins at the top means the image, not this machine.
    """
    target = entry.target.replace("\\", "/")
    if target.startswith("/") or target[1:2] == ":":
        known = found.get(target.partition(":")[2].strip("/") if target[1:2] == ":" else target.strip("/"))
        leads = known is not None and known.kind == "directory"
    else:
        leads = os.path.isdir(entry.source)
    return entry._replace(kind="directory-link") if leads else entry


def _special(path: str, stamp: Stamp) -> str:
    what = _KINDS.get(stat.S_IFMT(stamp.mode), "neither file, folder nor link")
    return f"{path}: {what}, which no layer can hold"


def _unread(path: str | bytes, error: OSError | ValueError) -> GeneratorError:
    reason = error.strerror if isinstance(error, OSError) else error
    return GeneratorError(f"{path if isinstance(path, str) else brief(path)}: cannot be read: {reason}")
