# SPDX-License-Identifier: Apache-2.0
"""Cache compressed layers in one directory for each user, shared by all runs; any file in it may vanish at any time.

Files are written atomically. There are two kinds:

- a chunk: gzip members of a layer, named by checksums of their uncompressed data. They are used only if they unpack to
  exactly the data at hand, so neither damage nor a collision changes a layer.
- a record: the chunks of a whole layer, named by a hash of the names, options and stamps of all its files. It is
  stored only if any later change of a file would change its stamp (see `still`); the layer is hashed again when used.

Nothing is synced to disk, and a directory that other users can write to is not used.
"""

import contextlib
import hashlib
import json
import operator
import os
import re
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..base.console import Say
from ..base.errors import GeneratorError
from ..base.home import TEMPORARY
from ..base.reading import read_file
from .sources import SourceEntry

FOLDER = "winscratch/layers"  # below the user's cache
LIMIT_MIB = 4096  # overridden by WINSCRATCH_CACHE_MIB; 0 turns the cache off
_SETTING = "WINSCRATCH_CACHE_MIB"
_NAME = re.compile(r"(?:chunk|record)-[0-9a-f.-]+", re.ASCII)
_CHECK = 4  # bytes of the CRC-32 at the start of a chunk's file
_STALE_SECONDS = 3600  # after which a temporary file is considered left over by a killed run
# The time after which another change of a file gets another timestamp: the resolution of file systems is at most
# 1/100 s if they store fractions, else 1 or 2 s.
_STEP, _COARSE_STEP = 100_000_000, 2_100_000_000  # nanoseconds
# A write through mmap() changes the timestamp only if the page was clean, so after the previous writeback: on Linux
# within half a minute, or at fsync().
_STORED = 60_000_000_000  # nanoseconds
_RECORDED = operator.attrgetter("path", "kind", "target", "stamp", "own")
_MOST_ASKED = 64  # files to fsync(); each may take some milliseconds


class CacheRecord(NamedTuple):
    """A cached layer: its digests and size, its chunks in order, and the notices printed when it was made."""

    digest: str
    diff_id: str
    size: int
    chunks: list[str]
    notes: list[str]


class Cache:
    """The cache in *folder*, which holds at most *limit* bytes after each run."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._stored = 0

    def chunk(self, name: str) -> bytes | None:
        """Return a stored chunk, or None if it is missing or damaged."""
        data = self._read(name)
        if data is None or _check(data[_CHECK:]) != data[:_CHECK]:
            return None
        return data[_CHECK:]

    def put_chunk(self, name: str, data: bytes) -> None:
        """Store a chunk unless this process has filled the cache."""
        if self._stored + len(data) <= self._limit:
            self._stored += len(data)
            self._write(name, _check(data), data)

    def record(self, name: str) -> CacheRecord | None:
        """Return a stored record, or None if it is missing or damaged."""
        digest, _, text = (self._read(name) or b"").partition(b"\n")
        if digest != _sha256(text):
            return None
        try:
            return msgspec.json.decode(text, type=CacheRecord)
        except (ValueError, RecursionError):  # a file that put_record() did not write
            return None

    def put_record(self, name: str, record: CacheRecord) -> None:
        """Store a record unless its chunks exceed the limit."""
        if record.size > self._limit:
            return
        text = json.dumps(record).encode("ascii")
        self._write(name, _sha256(text) + b"\n", text)

    def trim(self) -> None:
        """Remove the least recently used files beyond the limit, and leftovers of killed runs."""
        found = []
        with contextlib.suppress(OSError), os.scandir(self._folder) as listed:
            for item in listed:
                with contextlib.suppress(OSError):
                    status = item.stat(follow_symlinks=False)
                    if not item.name.endswith(TEMPORARY):
                        found.append((status.st_mtime_ns, status.st_size, item.path))
                    elif status.st_mtime < time.time() - _STALE_SECONDS:
                        Path(item.path).unlink()
        left = self._limit
        for _, size, path in sorted(found, reverse=True):
            left -= size
            if left < 0:
                with contextlib.suppress(OSError):  # removed by another run, or open on Windows
                    Path(path).unlink()

    def _read(self, name: str) -> bytes | None:
        path = self._folder / name
        if not _NAME.fullmatch(name):  # a forged record could name any file
            return None
        try:
            if _open_to_others(path):
                return None
            data = read_file(path, name, follow=False)
            os.utime(path)
        except (GeneratorError, OSError):
            return None
        return data

    def _write(self, name: str, *pieces: bytes) -> None:
        """Write a file atomically; ignore errors, such as a full disk."""
        temporary = self._folder / f".{os.urandom(8).hex()}{TEMPORARY}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(temporary, flags, 0o600), "wb", buffering=0) as file:
                whole = all(file.write(piece) == len(piece) for piece in pieces)
            if whole:
                temporary.replace(self._folder / name)
                return
        except OSError:
            pass
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def open_cache(note: Say, environment: Mapping[str, str]) -> Cache | None:
    """Return the user's cache, or None if it is unavailable or turned off.

    Raises GeneratorError if the setting is not a number.
    """
    text = environment.get(_SETTING, "") or str(LIMIT_MIB)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise GeneratorError(f"{_SETTING}: {text!r} is not a number of MiB; hint: set it to 0 for no cache")
    if int(text) == 0:
        return None
    try:
        base = Path(environment.get("XDG_CACHE_HOME", ""))
        if not base.is_absolute():  # the XDG specification ignores relative paths
            base = Path(environment.get("LOCALAPPDATA", "~") if os.name == "nt" else "~/.cache").expanduser()
        folder = base / FOLDER
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        usable = folder.is_dir() and not (_open_to_others(folder) or _open_to_others(folder.parent))
    except (OSError, ValueError, RuntimeError):
        return None  # for instance a read-only home directory
    if not usable:
        note(f"{folder}: not used as cache, since other users can write to it; hint: remove it")
        return None
    return Cache(folder, int(text) << 20)


def record_name(entries: Sequence[SourceEntry], *options: object) -> str:
    """Return the name of a layer's record: a hash of its options and of the paths and stamps of its *entries*."""
    hashed = hashlib.sha256(json.dumps(options).encode("ascii"))
    for start in range(0, len(entries), 1000):  # in parts, to save memory
        hashed.update(_encoded([*map(_RECORDED, entries[start : start + 1000])]))
    return f"record-{hashed.hexdigest()}"


def _encoded(part: object) -> bytes:
    try:
        return msgspec.json.encode(part)
    except UnicodeEncodeError:  # a file name that is not valid Unicode
        return json.dumps(part).encode("ascii")


def settle(entries: Iterable[SourceEntry], started: int) -> bool:
    """Sync files that changed less than a minute before *started* to disk.

    Return whether all are synced and still. Any later write then changes their ctime, even one through mmap() (except
    on tmpfs).
    """
    since = started - _STORED
    recent = [entry for entry in entries if (stamp := entry.stamp) and stamp.changed >= since and entry.kind == "file"]
    if len(recent) > _MOST_ASKED or not still(recent, started):
        return False
    try:
        for entry in recent:
            descriptor = entry.open()
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except OSError:
        return False
    return True


def still(entries: Iterable[SourceEntry], started: int) -> bool:
    """Return whether every change of a file since *started*, in nanoseconds, shows in its stamp.

    A file that changed within one clock step before it was read can change again in that step. Windows has no change
    time that programs cannot set, so there the result is always False.
    """
    return os.name != "nt" and all(
        entry.stamp.changed + (_STEP if entry.stamp.changed % 1_000_000_000 else _COARSE_STEP) < started
        for entry in entries
        if entry.stamp is not None and entry.kind == "file"
    )


def _open_to_others(path: Path) -> bool:
    """Return whether *path* is a link or writable by other users; raises OSError."""
    status = path.lstat()
    writable = hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022)
    return bool(writable) or stat.S_ISLNK(status.st_mode)


def _check(data: bytes) -> bytes:
    """Return the first bytes of a chunk's file, by which damage shows."""
    import deflate

    return deflate.crc32(data).to_bytes(_CHECK, "big")


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode("ascii")
