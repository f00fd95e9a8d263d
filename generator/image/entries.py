# SPDX-License-Identifier: Apache-2.0
"""Make the chunks of a layer's tar: the headers of its entries and the content of their files."""

import functools
import os
import pickle
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..base.errors import GeneratorError, brief, shorten
from ..base.folders import changed, unread
from ..oci.files import facts
from ..oci.names import fold, units
from ..security import descriptor, sddl
from .cache import Cache
from .compress import DENSE, DENSE_ENTRY, LEVELS, MEMBER, Chunk, compressed
from .model import EntryOptions, LayerOptions
from .sources import SourceEntry
from .writer import writer

_HAS_ATTRIBUTES = hasattr(os, "listxattr")
NANOSECONDS = 1_000_000_000
_BLOCK = 512  # bytes, of a tar
_HEADERS = 3 * _BLOCK  # of most entries
_DENSE_CHUNK = 4 * DENSE  # bytes: fewer chunks are faster
_HIVES = "WINDOWS/SYSTEM32/CONFIG"  # folded
_SPECIAL_BITS = 0o7000  # of a mode
_SPECIAL = "setuid, setgid or sticky bits"
_COMMON_ATTRIBUTES = {"security.selinux", "system.posix_acl_access", "system.posix_acl_default"}


class ChunkPlan(NamedTuple):
    """What a chunk of a layer holds: the entries from *first* to before *last*, or a piece of the file *first*.

    *size* is the piece's, in bytes, which begins at *offset*; it is 0 for entries. They are *dense* if small.
    *ends* is true for the last chunk.
    """

    first: int
    last: int
    offset: int = 0
    size: int = 0
    dense: bool = False
    ends: bool = False


class EntryChunk(NamedTuple):
    """A chunk of a layer; *lost* has the attributes that do not exist on Windows, each with a file that has them."""

    chunk: Chunk
    lost: list[tuple[str, str]]


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


def plan_chunks(entries: Sequence[SourceEntry]) -> list[ChunkPlan]:
    """Return the chunks of the layer of *entries*, each of about one gzip member, or of a few if the entries are small.

    They depend only on the order, kinds and sizes of the entries. A file as large as a member or larger is cut.
    """
    found: list[ChunkPlan] = []
    first, count, total = 0, len(facts().roots), len(facts().roots) * _HEADERS
    for number, entry in enumerate(entries):
        size = entry.stamp.size if entry.stamp and entry.kind == "file" else 0
        weight = _HEADERS + (size + -size % _BLOCK if size < MEMBER else 0)
        if total + weight > MEMBER:
            dense = _are_small(count, total)
            if not dense or total + weight > _DENSE_CHUNK:
                found.append(ChunkPlan(first, number, dense=dense))
                first, count, total = number, 0, 0
        count, total = count + 1, total + weight
        if size >= MEMBER:
            found.append(ChunkPlan(first, number + 1, dense=_are_small(count, total)))
            found += [ChunkPlan(number, number, at, min(MEMBER, size - at)) for at in range(0, size, MEMBER)]
            first, count, total = number + 1, 0, 0
    return [*found, ChunkPlan(first, len(entries), dense=_are_small(count, total), ends=True)]


def _are_small(number: int, size: int) -> bool:
    """Return whether so many entries are small if they have *size* bytes."""
    return number * DENSE_ENTRY >= size


class LayerChunks:
    """The chunks of the layer of *entries*; each can be made in another thread or process.

    Modes, owners and POSIX access control lists are left out: security descriptors replace them.
    """

    def __init__(self, entries: Sequence[SourceEntry], options: LayerOptions, cache: Cache | None) -> None:
        """Prepare to make the chunks; nothing is read before."""
        self._entries = entries
        self._options = options
        self._time = options.time * NANOSECONDS
        self._level = LEVELS[options.compression]
        self._cache = cache
        self._given = functools.cache(self._options_of)
        self._originals = _originals(entries)
        self._opening = threading.Lock()  # the pool of open folders is for one thread at a time

    def make(self, plan: ChunkPlan, memory: memoryview) -> EntryChunk:
        """Return a chunk, written to *memory* if it fits.

        Raises GeneratorError for what Windows cannot have, and for a file that cannot be read.
        """
        tar = _Memory(memory)
        lost: list[tuple[str, str]] = []
        if plan.size:
            self._read(self._entries[plan.first], plan.offset, plan.size, tar, lost)
        elif plan.first == 0:
            tar.add(writer().roots(self._time))
        for number in range(plan.first, plan.last):
            entry = self._entries[number]
            tar.add(self._headers(entry, self._originals.get(number)))
            stamp = entry.stamp
            if stamp is None or entry.target:
                continue
            if entry.kind != "file" or number in self._originals:
                if stamp.mode & _SPECIAL_BITS:
                    lost.append((_SPECIAL, entry.source))
            elif stamp.size < MEMBER:
                self._read(entry, 0, stamp.size, tar, lost)
        if plan.ends:
            tar.add(writer().END)
        written = tar.memory[: tar.size]
        members, name = compressed(written, self._level, self._cache, dense=plan.dense)
        data = None if tar.memory is memory else pickle.PickleBuffer(written)
        return EntryChunk(Chunk(tar.size, pickle.PickleBuffer(members), name, data), lost)

    def _headers(self, entry: SourceEntry, original: str | None) -> bytes:
        """Return the headers of an entry, a hard link if its file has the path *original*.

        Raises GeneratorError for an entry that Windows cannot have.
        """
        path, kind, _, stamp, target, _, own, _ = entry
        attributes, given, time = self._given(own)
        files = writer()
        try:
            if time is None:
                time = stamp.modified if stamp else self._time
            if original is not None:
                return bytes(files.header(files.HARD_LINK, path, target=original, time=time))
            size = stamp.size if stamp and kind == "file" else 0
            return files.header(  # type: ignore[no-any-return] # a module that is loaded by its path
                kind, path, target=target, size=size, attributes=attributes, descriptor=given, time=time
            )
        except files.FilesError as error:
            raise _refused(entry, error.code, self._entries) from error

    def _options_of(self, own: EntryOptions) -> tuple[int, str | bytes, int | None]:
        """Return attributes, descriptor and time for the writer; the time is None if files keep theirs."""
        descriptor = security(own.security or self._options.security)
        if isinstance(own.time, int):
            return own.attributes, descriptor, own.time
        keep = (own.time or self._options.times) == "keep"
        return own.attributes, descriptor, None if keep else self._time

    def _read(self, entry: SourceEntry, offset: int, size: int, tar: "_Memory", lost: list[tuple[str, str]]) -> None:
        """Add *size* bytes of a file, and the padding behind its end.

        Raises GeneratorError if the file has changed since it was found, or changes meanwhile.
        """
        try:
            with self._opening:
                opened = entry.open()
            try:
                if offset:
                    os.lseek(opened, offset, os.SEEK_SET)
                if not tar.read(opened, size) or not entry.matches(opened):
                    raise changed(entry.source)
                if offset == 0 and (what := _attributes(opened, entry)):
                    lost.append((what, entry.source))
            finally:
                os.close(opened)
        except OSError as error:
            raise unread(entry.source, error) from error


class _Memory:
    """The part of a tar that is made: the first *size* bytes of *memory*, which grows."""

    def __init__(self, memory: memoryview) -> None:
        self.memory = memory
        self.size = 0

    def add(self, data: bytes) -> None:
        """Append *data*."""
        end = self.size + len(data)
        if end > len(self.memory):
            self._grow(end)
        self.memory[self.size : end] = data
        self.size = end

    def read(self, opened: int, size: int) -> bool:
        """Append the next *size* bytes of an open file and zeros up to a whole block; return whether it had as many.

        Raises OSError.
        """
        at, end, padded = self.size, self.size + size, self.size + size + -size % _BLOCK
        if padded > len(self.memory):
            self._grow(padded)
        while at < end and (count := _read_into(opened, self.memory[at:end])):
            at += count
        self.memory[end:padded] = bytes(padded - end)
        self.size = padded
        return at == end

    def _grow(self, size: int) -> None:
        grown = memoryview(bytearray(2 * size))
        grown[: self.size] = self.memory[: self.size]
        self.memory = grown


if hasattr(os, "readv"):

    def _read_into(opened: int, memory: memoryview) -> int:
        """Read from an open file to *memory*; return the number of bytes."""
        return os.readv(opened, [memory])

else:  # Windows

    def _read_into(opened: int, memory: memoryview) -> int:
        """Read from an open file to *memory*; return the number of bytes."""
        data = os.read(opened, len(memory))
        memory[: len(data)] = data
        return len(data)


def check_paths(entries: Sequence[SourceEntry]) -> None:
    """Raise GeneratorError if two paths differ only in case, or one leads through a file.

    The writer of layers would find it, but sees only some of them here.
    """
    paths = [entry.path for entry in entries]
    directories = {entry.path for entry in entries if entry.kind == "directory"} | {""}
    if len(set(map(fold, paths))) == len(paths) and {path.rpartition("/")[0] for path in paths} <= directories:
        return
    known: set[str] = set()
    for entry in entries:
        if fold(entry.path) in known:
            raise _refused(entry, "case", entries)
        known.add(fold(entry.path))
        if entry.path.rpartition("/")[0] not in directories:
            raise _refused(entry, "parent", entries)


def _originals(entries: Sequence[SourceEntry]) -> dict[int, str]:
    """Return for each further name of a file, by the number of its entry, the path of the file's first name."""
    most = facts().limits.names
    first: dict[tuple[int, int, EntryOptions], tuple[str, int]] = {}  # the first name, and the number of names
    originals: dict[int, str] = {}
    for number, entry in enumerate(entries):
        stamp = entry.stamp
        if not stamp or stamp.links == 1 or entry.kind != "file":
            continue
        key = (stamp.device, stamp.number, entry.own)
        path, names = first.get(key, ("", most))
        if names < most and _may_be_hard_link(entry.path):
            originals[number] = path
            first[key] = path, names + 1
        elif names == most:
            first[key] = entry.path, 1
    return originals


def _may_be_hard_link(path: str) -> bool:
    """Return whether Windows imports a hard link at *path*.

    It fails for a name of one UTF-16 unit, for which hcsshim's safefile sends too few bytes. In the directory of hives,
    Windows writes to files, so none may share its content.
    """
    parent, _, name = path.rpartition("/")
    return units(name) > 1 and fold(parent) != _HIVES


def _others(number: int) -> str:
    return f" and {number:,} other{'s' * (number != 1)}" if number else ""


def _attributes(opened: int, entry: SourceEntry) -> str:
    """Return what an open file has that does not exist on Windows: attributes beyond the common ones, special bits."""
    try:
        found = os.listxattr(opened) if _HAS_ATTRIBUTES else []
    except OSError:
        found = []
    if found and not _COMMON_ATTRIBUTES.issuperset(found):
        return "extended attributes"
    return _SPECIAL if entry.stamp and entry.stamp.mode & _SPECIAL_BITS else ""


def left_out(lost: Mapping[str, Sequence[str]]) -> str:
    """Return the notice of attributes that a layer does not have, each with the files that lose it."""
    kinds = "; ".join(f"{what} of {paths[0]}" + _others(len(paths) - 1) for what, paths in lost.items())
    return f"left out, since Windows has no such attributes: {kinds}"


def _refused(entry: SourceEntry, code: str, entries: Sequence[SourceEntry]) -> GeneratorError:
    reason = writer().REASONS[code]
    if code == "case":
        folded = fold(entry.path)
        others = (one.path for one in entries if one.path != entry.path and fold(one.path) == folded)
        reason += f", {brief(next(others, ''))}"
    way = "rename it, or leave it out with --exclude"
    if code == "time":
        way = "change its time with touch, or use --times fixed"
    return GeneratorError(f"{entry.source or 'C:/' + entry.path}: {reason}; hint: {way}")
