# SPDX-License-Identifier: Apache-2.0
"""Write the entries of a layer and the content of their files as a tar."""

import functools
import os
from collections.abc import Sequence
from typing import Any, Protocol

from ..base.console import Say
from ..base.errors import GeneratorError, brief, shorten
from ..base.folders import changed, unread
from ..oci.files import facts
from ..oci.names import fold, units
from ..security import descriptor, sddl
from .model import EntryOptions, LayerOptions
from .sources import SourceEntry, Stamp
from .writer import writer

_HAS_ATTRIBUTES = hasattr(os, "listxattr")
NANOSECONDS = 1_000_000_000
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


@functools.cache
def security(text: str, shown: str = "--security") -> str | bytes:
    """Return the security descriptor *text*: a name that the writer knows, or the bytes for SDDL.

    Raises GeneratorError that begins with *shown*.
    """
    known = facts().descriptors
    if not text:
        raise GeneratorError(f"{shown}: empty; hint: none for no descriptors")
    if text in known:
        return text
    try:
        return descriptor.to_bytes(sddl.from_text(text))
    except (ValueError, descriptor.DescriptorError) as error:
        where = f", at character {error.position + 1}" if isinstance(error, sddl.SddlError) else ""
        names = ", ".join(known)
        raise GeneratorError(f"{shown} {shorten(text)}: neither {names} nor SDDL{where}: {error}") from error


def write_layer(entries: Sequence[SourceEntry], options: LayerOptions, out: Tar, whole: int, note: Say) -> None:
    """Write the layer of *entries* to *out*; a file of at least *whole* bytes begins a new member.

    *note* receives one line on attributes that do not exist on Windows. Modes, owners and POSIX access control lists
    are left out silently: security descriptors replace them. Raises GeneratorError for an entry that Windows cannot
    have, and for a file that cannot be read or has changed.
    """
    files = writer()
    layer = _EntryWriter(out, options, whole)
    lost: dict[str, list[str]] = {}
    for entry in entries:
        try:
            if what := layer.add(entry):
                lost.setdefault(what, []).append(entry.source)
        except files.FilesError as error:
            raise _refused(entry, error.code, files.REASONS[error.code], entries) from error
    layer.close()
    if lost:
        left_out = "; ".join(f"{what} of {paths[0]}" + _others(len(paths) - 1) for what, paths in lost.items())
        note(f"left out, since Windows has no such attributes: {left_out}")


def _given(own: EntryOptions) -> dict[str, Any]:
    """Return a source's options as the writer's methods take them."""
    given: dict[str, Any] = {}
    if own.security:
        given["descriptor"] = security(own.security)
    if own.attributes:
        given["attributes"] = own.attributes
    if isinstance(own.time, int):
        given["time"] = own.time
    return given


class _EntryWriter:
    """The writer of a layer's entries."""

    def __init__(self, out: Tar, options: LayerOptions, whole: int) -> None:
        self._out = out
        self._times = options.times
        self._whole = whole
        self._layer = writer().Writer(out, time=options.time * NANOSECONDS, descriptor=security(options.security))
        self._own: EntryOptions | None = None  # of the last entry, and as the writer takes them:
        self._given: dict[str, Any] = {}
        self._keep = False  # whether files keep their times
        self._first: dict[tuple[int, int, EntryOptions], tuple[str, int]] = {}  # a file's first name, and their number
        self.close = self._layer.close

    def add(self, entry: SourceEntry) -> str:
        """Write an entry, and return the attributes of its file that do not exist on Windows."""
        path, kind, _, stamp, target, _, own, _ = entry
        if own is not self._own:
            self._own, self._given = own, _given(own)
            self._keep = (self._times if own.time is None else own.time) == "keep"
        options = self._given
        if self._keep and stamp:
            options = {**options, "time": stamp.modified}
        lost = ""
        if kind == "directory" or stamp is None:
            self._layer.add_directory(path, **options)
        elif kind != "file":
            self._layer.add_symlink(path, target, directory=kind == "directory-link", **options)
            return ""
        elif stamp.links == 1 or not self._linked(entry, stamp, options.get("time")):
            lost = "extended attributes" * self._add_file(entry, stamp, options)
        return lost or "setuid, setgid or sticky bits" * bool(stamp and stamp.mode & _SPECIAL_BITS)

    def _linked(self, entry: SourceEntry, stamp: Stamp, time: int | None) -> bool:
        """Write a file as one more name of one that is there; return False if none can have it."""
        key = (stamp.device, stamp.number, entry.own)
        known, names = self._first.get(key, ("", 0))
        if 0 < names < facts().limits.names and _may_be_hard_link(entry.path):
            self._layer.add_hardlink(entry.path, known, time=time)
            self._first[key] = known, names + 1
            return True
        if not known or names == facts().limits.names:
            self._first[key] = entry.path, 1
        return False

    def _add_file(self, entry: SourceEntry, stamp: Stamp, options: dict[str, Any]) -> bool:
        """Write a file; raises GeneratorError if it changed since it was found, or changes meanwhile.

        Return whether it has extended attributes beyond those that systems give every file.
        """
        try:
            opened = entry.open()
        except OSError as error:
            raise unread(entry.source, error) from error
        try:
            small = stamp.size < self._whole
            data = read(opened, stamp.size, entry) if small else _Data(opened, entry, self._out)
            self._layer.add(entry.path, data, size=stamp.size, **options)
            if not entry.matches(opened):
                raise changed(entry.source)
            return _has_attributes(opened)
        finally:
            os.close(opened)


def _may_be_hard_link(path: str) -> bool:
    """Return whether Windows imports a hard link at *path*.

    It fails for a name of one UTF-16 unit, for which hcsshim's safefile sends too few bytes. In the directory of hives,
    Windows writes to files, so none may share its content.
    """
    parent, _, name = path.rpartition("/")
    return units(name) > 1 and fold(parent) != _HIVES


def _others(number: int) -> str:
    return f" and {number:,} other{'s' * (number != 1)}" if number else ""


def _has_attributes(opened: int) -> bool:
    """Return whether an open file has extended attributes beyond the common ones; False if its system has none."""
    try:
        found = os.listxattr(opened) if _HAS_ATTRIBUTES else []
    except OSError:
        return False
    return bool(found) and not _COMMON_ATTRIBUTES.issuperset(found)


class _Data:
    """The content of a file, read on demand; *out* begins a new member before the first byte."""

    def __init__(self, opened: int, entry: SourceEntry, out: Tar) -> None:
        self._opened = opened
        self._entry = entry
        self._out: Tar | None = out

    def read(self, size: int) -> bytes:
        """Return *size* bytes, or fewer at the end of the file."""
        if self._out is not None:  # the header has been written
            self._out.align()
            self._out = None
        return read(self._opened, size, self._entry)


def read(opened: int, size: int, entry: SourceEntry) -> bytes:
    """Return the next *size* bytes of the open file of *entry*, or fewer at its end; raises GeneratorError."""
    parts = []
    try:
        while size and (part := os.read(opened, size)):
            parts.append(part)
            size -= len(part)
    except OSError as error:
        raise unread(entry.source, error) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


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
