# SPDX-License-Identifier: Apache-2.0
"""Collect the entries of a layer from the files and directories that are its sources."""

import io
import itertools
import marshal
import math
import operator
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ..base.console import Say
from ..base.errors import GeneratorError, brief, shorten
from ..base.folders import AT_FOLDER, Folder, Folders, changed, read_small, unread
from ..base.reading import open_regular
from ..oci.files import facts
from . import dockerignore
from .dockerignore import Patterns
from .model import EntryOptions, Source
from .workers import can_fork, ordered
from .writer import writer

Kind = Literal["directory", "file", "file-link", "directory-link"]
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_KIND_AND_SPECIAL_BITS = 0o177000  # of a mode
_JUNCTION = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT
_NONE = EntryOptions()
_MANY = 5000  # entries, from which on other processes help to search
_PARTS = 64  # of what they search, so that all have enough to do
_new = tuple.__new__  # a named tuple made by it takes a third of the time
_STATE = operator.attrgetter("st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns", "st_mode", "st_nlink")


class Stamp(NamedTuple):
    """The identity and state of a file: device, inode, size in bytes, times in nanoseconds, mode and link count.

    A file with the same stamp is unchanged.
    """

    device: int
    number: int
    size: int
    modified: int
    changed: int
    mode: int
    links: int


class SourceEntry(NamedTuple):
    """A file, directory or symlink of a layer, at *path* below C:, with slashes; *target* is a link's text.

    It is read from *name* in *folder*, or from the path *name* if *folder* is None; *stamp* is its state when found.
    All three are empty for a directory that is only a parent of others. *own* holds the options of its
    source, and *shown* replaces the path in errors.
    """

    path: str
    kind: Kind
    name: str = ""
    stamp: Stamp | None = None
    target: str = ""
    folder: Folder | None = None
    own: EntryOptions = _NONE
    shown: str = ""

    @property
    def source(self) -> str:
        """The path of the file, for errors."""
        return self.shown or (self.folder.path(self.name, shown=True) if self.folder is not None else self.name)

    def open(self) -> int:
        """Return a descriptor for reading; raises OSError. What is read is the entry's if matches() is true later."""
        if self.folder is not None:
            return self.folder.open(self.name, regular=False)
        return open_regular(self.name, follow=False)

    def matches(self, opened: int) -> bool:
        """Return whether an open file is as it was found."""
        status = os.fstat(opened)
        return bool(_STATE(status) == self.stamp) or stamp_of(status) == self.stamp


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the stamp of a file with *status*."""
    stamp = _new(Stamp, _STATE(status))
    # On Windows, the other bits differ between os.stat() and os.fstat().
    return stamp if os.name != "nt" else stamp._replace(mode=stamp.mode & _KIND_AND_SPECIAL_BITS)


def place(dest: str, shown: str = "DEST") -> str:
    """Return a Windows path with slashes and without its drive, which must be C.

    Raises GeneratorError that begins with *shown*.
    """
    path = dest.replace("\\", "/")
    subject = f"{shown} {shorten(dest, 300)}"
    if path[1:2] == ":":
        if path[0] not in "Cc":
            raise GeneratorError(f"{subject}: an image has only the drive C:; hint: give a path on C:")
        path = path[2:]
    elif path.startswith("//"):
        raise GeneratorError(f"{subject}: a network share; hint: give a path on C:")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise GeneratorError(f"{subject}: the path has .. in it; hint: leave it out")
    if reason := _wrong("/".join(parts)):
        raise GeneratorError(f"{subject}: {reason}; hint: give a path such as C:\\app")
    return "/".join(parts)


def _wrong(path: str) -> str | None:
    """Return why *path* is invalid in a layer, or None; C: itself is the empty text."""
    files = writer()
    try:
        if path:
            files.Writer(io.BytesIO()).add(path, b"")
    except files.FilesError as error:
        return str(files.REASONS[error.code])
    return None


def refuse_inside(target: Path, sources: Sequence[Source]) -> None:
    """Raise GeneratorError if *target*, a path to be written, is inside a source."""
    real = Path(os.path.realpath(target))
    for source in sources:
        if source.data is not None:
            continue
        try:
            top = Path(os.path.realpath(source.path))
        except (OSError, ValueError) as error:
            raise _unread(os.fspath(source.path), error) from error
        if real == top or top in real.parents:
            raise GeneratorError(f"{target}: inside the source {source.path}; hint: write it elsewhere")


def collect(sources: Sequence[Source], exclude: Sequence[str], note: Say, folders: Folders) -> list[SourceEntry]:
    """Return the entries of one layer with *sources*, sorted by the UTF-8 bytes of their paths.

    *folders* opens the directories of the sources, now and when entries are read.

    Links are kept, each as one to a file until link_kinds() sets its kind; no folder is entered through one unless a
    source is itself a link. Raises
    GeneratorError for a file that cannot be read or has no form in a layer, and for a path of two sources.
    """
    found: dict[str, SourceEntry] = {}
    patterns = dockerignore.parse(exclude, "--exclude")
    for source in sources:
        for entry in _entries(source, patterns, note, folders):
            known = found.setdefault(entry.path, entry)
            if known is entry:
                continue
            if {known.kind, entry.kind} == {"directory"}:
                if known.own != entry.own:
                    raise GeneratorError(
                        f"C:/{entry.path}: a directory of {known.source} and {entry.source}, which have different "
                        "options; hint: leave out --one-layer, or give both the same"
                    )
            else:
                raise GeneratorError(
                    f"C:/{entry.path}: both {known.source} and {entry.source} go there; hint: give one another DEST"
                )
    for above in {path.rpartition("/")[0] for path in found}:
        parent = above
        while parent and parent not in found:
            found[parent] = SourceEntry(parent, "directory")
            parent = parent.rpartition("/")[0]
    return [found[path] for path in sorted(found)]


def _entries(source: Source, exclude: Patterns, note: Say, folders: Folders) -> Iterator[SourceEntry]:
    """Yield the entries of one source, in any order."""
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
            yield SourceEntry(dest, "directory", top, stamp, own=source.own)
        folder = folders.top(os.path.realpath(top), (stamp.device, stamp.number), top)
        yield from _folder(folder, source._replace(dest=dest), _patterns(folder, exclude, note))
    elif stat.S_ISREG(stamp.mode):
        into = not dest or source.dest[-1] in "/\\"
        name = os.path.basename(os.path.abspath(top))
        if into and (reason := _wrong(name)):
            raise GeneratorError(rf"{top}: {reason}; hint: give a DEST with another name, such as C:\app\name")
        path = f"{dest}/{name}".lstrip("/") if into else dest
        yield SourceEntry(path, "file", os.path.realpath(top), stamp, own=source.own, shown=source.shown)
    else:
        raise GeneratorError(f"{top}: {_special(stamp)}; hint: give a file or directory")


def _colons(text: str) -> Iterator[int]:
    """Yield the indexes of the colons in *text*, the last first."""
    at = len(text)
    while (at := text.rfind(":", 0, at)) > 0:
        yield at


def _patterns(top: Folder, exclude: Patterns, note: Say) -> Patterns:
    """Return the patterns for a directory: those of its own .dockerignore, then *exclude*.

    A .dockerignore beside or above the directory is not part of the source and may be untrusted.
    """
    path = top.path(dockerignore.FILE, shown=True)
    data = read_small(top, dockerignore.FILE, dockerignore.MAX_FILE)
    if data is None:
        return exclude
    note(f"{path}: its patterns leave files out")
    found = dockerignore.parse_file(data.decode("utf-8", "surrogateescape"), path)
    return Patterns(found.rules + exclude.rules)


def _folder(top: Folder, source: Source, patterns: Patterns, inside: str = "") -> Iterator[SourceEntry]:
    """Yield the entries below *top*, the directory *inside* of the directory *source*, or this itself.

    The place of *source* is empty for C: itself.
    """
    start = f"{source.dest}/" if source.dest else ""
    hidden: dict[str, SourceEntry] = {}  # excluded directories by path, in which a pattern may bring something back
    waiting = [(top, inside)]
    found, most = 0, _MANY if not patterns.brings_back and can_fork() else math.inf
    while waiting:
        if found >= most and len(waiting) > 1:
            yield from _shared(waiting, source, patterns)
            return
        folder, inside = waiting.pop()
        try:
            with folder.scan() as listed:
                for item in listed:
                    path = inside + item.name
                    out = bool(patterns.rules) and patterns.exclude(path)
                    if out and not (patterns.brings_back and item.is_dir(follow_symlinks=False)):
                        continue
                    entry = _entry(item, start + path, folder, source.own)
                    found += 1
                    if entry.kind == "directory":
                        waiting.append((_below(folder, entry), path + "/"))
                    if out:
                        hidden[path] = entry
                        continue
                    if hidden:
                        yield from _shown(path, hidden)
                    yield entry
        except OSError as error:
            raise unread(folder.path(shown=True), error) from error


def _shared(tops: Sequence[tuple[Folder, str]], source: Source, patterns: Patterns) -> Iterator[SourceEntry]:
    """Yield the entries below *tops*, which several processes search."""

    def search(part: Sequence[tuple[Folder, str]], _: memoryview) -> bytes:
        with lock:  # if they are threads, since the pool of open folders is for one at a time
            return _packed(part, source, patterns)

    lock = threading.Lock()
    parts = [tops[first::_PARTS] for first in range(min(len(tops), _PARTS))]
    for part, data in zip(parts, [data for data, _ in ordered(search, parts)], strict=True):
        folders = [top for top, _ in part]
        steps, rows = marshal.loads(data)  # noqa: S302 - from our own process
        for parent, name, identity in steps:
            folders.append(folders[parent].child(name, identity))
        for path, kind, name, stamp, target, folder in rows:
            yield _new(SourceEntry, (path, kind, name, _new(Stamp, stamp), target, folders[folder], source.own, ""))


def _packed(tops: Sequence[tuple[Folder, str]], source: Source, patterns: Patterns) -> bytes:
    """Return the entries below *tops* for another process, with the folders that they are in.

    Each folder has the number of its parent, and each entry that of its folder; *tops* have the first numbers.
    """
    numbers: dict[Folder | None, int] = {top: number for number, (top, _) in enumerate(tops)}
    steps, rows = [], []
    entries = (_folder(top, source, patterns, inside) for top, inside in tops)
    for path, kind, name, stamp, target, folder, _, _ in itertools.chain.from_iterable(entries):
        if folder and folder not in numbers:
            steps.append((numbers[folder.parent], folder.name, folder.identity))
            numbers[folder] = len(numbers)
        rows.append((path, kind, name, stamp and tuple(stamp), target, numbers[folder]))
    return marshal.dumps((steps, rows))


def _below(folder: Folder, entry: SourceEntry) -> Folder:
    """Return the directory *entry* of *folder*; raises GeneratorError if it is too deep for a layer.

    Opened one by one, directories can be deeper than the longest path that a system call takes.
    """
    limits = facts().limits
    if folder.depth >= limits.parts or len(entry.path) > limits.path:
        raise GeneratorError(
            f"{shorten(entry.source, 200)}: deeper than any path on Windows; hint: leave it out with --exclude"
        )
    stamp = entry.stamp
    return folder.child(entry.name, (stamp.device, stamp.number) if stamp else None)


def _shown(path: str, hidden: dict[str, SourceEntry]) -> Iterator[SourceEntry]:
    """Yield the excluded parents of *path*, which is not excluded, each once."""
    while path := path.rpartition("/")[0]:
        if path in hidden:
            yield hidden.pop(path)


def _entry(item: "os.DirEntry[str]", path: str, folder: Folder, own: EntryOptions) -> SourceEntry:
    name = item.name
    try:
        # On Windows, os.scandir() gives no inode numbers.
        status = item.stat(follow_symlinks=False) if AT_FOLDER else folder.stat(name)
        stamp = stamp_of(status)
        kind = stat.S_IFMT(stamp.mode)
        if not AT_FOLDER and getattr(status, "st_reparse_tag", 0) == _JUNCTION:
            shown = folder.path(name, shown=True)
            raise GeneratorError(f"{shown}: a junction, which cannot be in a layer; hint: leave it out with --exclude")
        if kind == stat.S_IFREG:
            return _new(SourceEntry, (path, "file", name, stamp, "", folder, own, ""))
        if kind == stat.S_IFDIR:
            return SourceEntry(path, "directory", name, stamp, "", folder, own)
        if kind == stat.S_IFLNK:
            target = folder.readlink(name)
            if stamp_of(folder.stat(name)) != stamp:
                raise changed(folder.path(name, shown=True))
            return SourceEntry(path, "file-link", name, stamp, target, folder, own)
    except OSError as error:
        raise unread(folder.path(name, shown=True), error) from error
    raise GeneratorError(f"{folder.path(name, shown=True)}: {_special(stamp)}; hint: leave it out with --exclude")


def _special(stamp: Stamp) -> str:
    what = _KINDS.get(stat.S_IFMT(stamp.mode), "neither a file, a directory nor a link")
    return f"{what}, which cannot be in a layer"


def _unread(path: str | bytes, error: OSError | ValueError) -> GeneratorError:
    reason = error.strerror if isinstance(error, OSError) else error
    return GeneratorError(f"{path if isinstance(path, str) else brief(path)}: cannot be read: {reason}")
