# SPDX-License-Identifier: Apache-2.0
"""Write the entries of a layer and the content of their files as a tar."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from ..base.console import Say
from ..base.errors import GeneratorError, brief, shorten
from ..base.folders import changed, unread
from ..oci.files import facts
from ..oci.names import fold, units
from ..security import descriptor, sddl
from .model import LayerOptions
from .sources import SourceEntry, stamp_of
from .writer import writer

NANOSECONDS = 1_000_000_000
First = dict[tuple[int, int], tuple[str, int]]  # by device and inode: the first name of a file, and their number
_HIVES = "WINDOWS/SYSTEM32/CONFIG"  # folded
_SPECIAL_BITS = 0o7000  # of a mode: setuid, setgid, sticky
_COMMON_ATTRIBUTES = {"security.selinux", "system.posix_acl_access", "system.posix_acl_default"}


class Tar(Protocol):
    """An output that can begin a new gzip member."""

    def write(self, data: bytes) -> int:
        """Take all of *data*."""
        ...

    def align(self) -> None:
        """Begin a new member."""
        ...


def security(text: str) -> str | bytes:
    """Return the security descriptor *text*: a name that the writer knows, or the bytes for SDDL."""
    known = facts().descriptors
    if not text:
        raise GeneratorError("--security: empty; hint: --security none for no descriptors")
    if text in known:
        return text
    try:
        return descriptor.to_bytes(sddl.from_text(text))
    except (ValueError, descriptor.DescriptorError) as error:
        where = f", at character {error.position + 1}" if isinstance(error, sddl.SddlError) else ""
        names = ", ".join(known)
        raise GeneratorError(f"--security {shorten(text)}: neither {names} nor SDDL{where}: {error}") from error


def write_layer(entries: Sequence[SourceEntry], options: LayerOptions, out: Tar, whole: int, note: Say) -> None:
    """Write the layer of *entries* to *out*; a file of at least *whole* bytes begins a new member.

    *note* receives one line on attributes that do not exist on Windows. Modes, owners and POSIX access control lists
    are left out silently: security descriptors replace them. Raises GeneratorError for an entry that Windows cannot
    have, and for a file that cannot be read or has changed.
    """
    files = writer()
    layer = files.Writer(out, time=options.time * NANOSECONDS, descriptor=security(options.security))
    first: First = {}
    lost: dict[str, list[str]] = {}
    for entry in entries:
        time = entry.stamp.modified if entry.stamp and options.times == "keep" else None
        try:
            for what in _add(layer, entry, time, first, out, whole):
                lost.setdefault(what, []).append(entry.source)
        except files.FilesError as error:
            raise _refused(entry, error.code, files.REASONS[error.code], entries) from error
    layer.close()
    if lost:
        left_out = "; ".join(f"{what} of {paths[0]}" + _others(len(paths) - 1) for what, paths in lost.items())
        note(f"left out, since Windows has no such attributes: {left_out}")


def _add(layer: Any, entry: SourceEntry, time: int | None, first: First, out: Tar, whole: int) -> Iterator[str]:
    """Write an entry, and yield the attributes of its file that do not exist on Windows."""
    stamp = entry.stamp
    if entry.kind == "directory" or stamp is None:
        layer.add_directory(entry.path, time=time)
    elif entry.kind != "file":
        layer.add_symlink(entry.path, entry.target, directory=entry.kind == "directory-link", time=time)
        return
    else:
        known, names = first.get((stamp.device, stamp.number), ("", 0)) if stamp.links > 1 else ("", 0)
        if 0 < names < facts().limits.names and _may_be_hard_link(entry.path):
            layer.add_hardlink(entry.path, known, time=time)
            first[stamp.device, stamp.number] = known, names + 1
            return
        if stamp.links > 1 and (not known or names == facts().limits.names):
            first[stamp.device, stamp.number] = entry.path, 1
        if _add_file(layer, entry, time, out, whole):
            yield "extended attributes"
    if stamp and stamp.mode & _SPECIAL_BITS:
        yield "setuid, setgid or sticky bits"


def _may_be_hard_link(path: str) -> bool:
    """Return whether Windows imports a hard link at *path*.

    It fails for a name of one UTF-16 unit, for which hcsshim's safefile sends too few bytes. In the directory of hives,
    Windows writes to files, so none may share its content.
    """
    parent, _, name = path.rpartition("/")
    return units(name) > 1 and fold(parent) != _HIVES


def _others(number: int) -> str:
    return f" and {number:,} other{'s' * (number != 1)}" if number else ""


def _add_file(layer: Any, entry: SourceEntry, time: int | None, out: Tar, whole: int) -> bool:
    """Write a file; raises GeneratorError if it changed since it was found, or changes meanwhile.

    Return whether it has extended attributes beyond those that systems give every file.
    """
    size = entry.stamp.size if entry.stamp else 0
    try:
        opened = entry.open()
    except OSError as error:
        raise unread(entry.source, error) from error
    try:
        _check(opened, entry)
        if size < whole:
            layer.add(entry.path, _Data(opened, entry).read(size), size=size, time=time)
        else:
            layer.add(entry.path, _Data(opened, entry, out), size=size, time=time)
        _check(opened, entry)
        return bool(_attributes(opened) - _COMMON_ATTRIBUTES)
    finally:
        os.close(opened)


def _attributes(opened: int) -> set[str]:
    """Return the names of an open file's extended attributes; empty if its system has none."""
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            return set(os.listxattr(opened))
    return set()


class _Data:
    """The content of a file, read on demand; *out* begins a new member before the first byte."""

    def __init__(self, opened: int, entry: SourceEntry, out: Tar | None = None) -> None:
        self._opened = opened
        self._entry = entry
        self._out = out

    def read(self, size: int) -> bytes:
        """Return *size* bytes, or fewer at the end of the file."""
        if self._out is not None:  # the header has been written
            self._out.align()
            self._out = None
        parts = []
        try:
            while size and (part := os.read(self._opened, size)):
                parts.append(part)
                size -= len(part)
        except OSError as error:
            raise unread(self._entry.source, error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _check(opened: int, entry: SourceEntry) -> None:
    """Raise GeneratorError if an open file has changed since it was found."""
    if stamp_of(os.fstat(opened)) != entry.stamp:
        raise changed(entry.source)


def _refused(entry: SourceEntry, code: str, reason: str, entries: Sequence[SourceEntry]) -> GeneratorError:
    if code == "data":
        return changed(entry.source)
    if code == "case":
        folded = fold(entry.path)
        others = (one.path for one in entries if one.path != entry.path and fold(one.path) == folded)
        reason += f", {brief(next(others, ''))}"
    way = "rename it, or leave it out with --exclude"
    if code == "time":
        way = "change its time with touch, or use --times fixed"
    return GeneratorError(f"{entry.source or 'C:/' + entry.path}: {reason}; hint: {way}")
