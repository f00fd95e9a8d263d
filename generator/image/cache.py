# SPDX-License-Identifier: Apache-2.0
"""What was compressed before: a folder of one user, shared by all runs, that any of them may lose at any moment.

An entry is a file, put in place whole by a rename. There are two kinds:

- a member, a piece of a compressed layer, by a checksum of what it was made of. Who takes one has that at hand and
  compares it with what the member unpacks to, so that neither damage nor chance ever gives other content.
- a record, the members that a whole layer was made of, by the names, options and stamps of all its files. It is
  kept only where a later change of a file would show in its stamp, see `still`, and what it leads to is hashed again.

Nothing that is written here is waited for to reach the disk, and a folder that others can write to is not used.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
import time
import zlib
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
LIMIT_MIB = 4096  # unless WINSCRATCH_CACHE_MIB says otherwise; 0 is no cache
_SETTING = "WINSCRATCH_CACHE_MIB"
_NAME = re.compile(r"(?:member|record)-[0-9a-f.-]+", re.ASCII)
_CHECK = 4  # bytes of the CRC-32 that a member's file begins with
_STALE_SECONDS = 3600  # after which a file that is still being written is taken for a killed run's
# How long after a file's last change its next one has another time: systems count in steps of 1/100 s at most,
# where their times have fractions at all, and else of 1 or 2 s.
_STEP, _COARSE_STEP = 100_000_000, 2_100_000_000  # nanoseconds
# Who writes to a file's shared memory gives it a time of change at the first write after the system has stored what
# was written before: on Linux within half a minute, or when it is asked to.
_STORED = 60_000_000_000  # nanoseconds
_MOST_ASKED = 64  # files that the system is asked to store; each may take some milliseconds


class Record(NamedTuple):
    """A layer that was made before: a blob's values, its members in order, and what was noted when it was made."""

    digest: str
    diff_id: str
    size: int
    members: list[str]
    notes: list[str]


class Cache:
    """The cache in *folder*, which is to hold at most *limit* bytes when a run ends."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._stored = 0

    def member(self, name: str) -> bytes | None:
        """Return a member as it was stored, or None."""
        data = self._read(name)
        if data is None or zlib.crc32(data[_CHECK:]).to_bytes(_CHECK, "big") != data[:_CHECK]:
            return None
        return data[_CHECK:]

    def put_member(self, name: str, data: bytes) -> None:
        """Store a member, unless this run has stored all that the cache may hold; one thread may call this."""
        if self._stored + len(data) <= self._limit:
            self._stored += len(data)
            self._write(name, zlib.crc32(data).to_bytes(_CHECK, "big") + data)

    def record(self, name: str) -> Record | None:
        """Return a record as it was stored, or None."""
        digest, _, text = (self._read(name) or b"").partition(b"\n")
        if digest != _sha256(text):
            return None
        try:
            return msgspec.json.decode(text, type=Record)
        except (ValueError, RecursionError):  # whoever wrote that, it was not put_record()
            return None

    def put_record(self, name: str, record: Record) -> None:
        """Store a record, whose members are stored, unless there were too many."""
        if record.size > self._limit:
            return
        text = json.dumps(record).encode("ascii")
        self._write(name, _sha256(text) + b"\n" + text)

    def trim(self) -> None:
        """Remove what was not used for longest, until the rest is within the limit, and what killed runs left."""
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
                with contextlib.suppress(OSError):  # another run was first, or Windows has it open
                    Path(path).unlink()

    def _read(self, name: str) -> bytes | None:
        path = self._folder / name
        if not _NAME.fullmatch(name):  # a record that is forged could name any file
            return None
        try:
            if _open_to_others(path):
                return None
            data = read_file(path, name, follow=False)
            os.utime(path)
        except (GeneratorError, OSError):
            return None
        return data

    def _write(self, name: str, data: bytes) -> None:
        """Put a file in place; a cache that cannot be written, on a full disk perhaps, is no error."""
        temporary = self._folder / f".{os.urandom(8).hex()}{TEMPORARY}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(temporary, flags, 0o600), "wb", buffering=0) as file:
                whole = file.write(data) == len(data)
            if whole:
                temporary.replace(self._folder / name)
                return
        except OSError:
            pass
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def open_cache(note: Say, environment: Mapping[str, str]) -> Cache | None:
    """Return the user's cache, or None where there is none or it is turned off.

    Raises GeneratorError for a setting that is no number.
    """
    text = environment.get(_SETTING, "") or str(LIMIT_MIB)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise GeneratorError(f"{_SETTING} is {text!r}; give it whole MiB, or 0 for no cache")
    if int(text) == 0:
        return None
    try:
        base = Path(environment.get("XDG_CACHE_HOME", ""))
        if not base.is_absolute():  # which the XDG specification has us take for unset
            base = Path(environment.get("LOCALAPPDATA", "~") if os.name == "nt" else "~/.cache").expanduser()
        folder = base / FOLDER
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        usable = folder.is_dir() and not (_open_to_others(folder) or _open_to_others(folder.parent))
    except (OSError, ValueError, RuntimeError):
        return None  # a home that is read only, or none: what can be done without
    if not usable:
        note(f"{folder}: not used as cache, since others can write there; remove it, and it is made anew")
        return None
    return Cache(folder, int(text) << 20)


def record_name(entries: Sequence[SourceEntry], *options: object) -> str:
    """Return what a layer's record is called: a hash of all that its blob depends on, as far as stamps tell."""
    hashed = hashlib.sha256(json.dumps(options).encode("ascii"))
    for start in range(0, len(entries), 1000):  # a document of all would take as much memory as they do
        part = [(entry.path, entry.kind, entry.target, entry.stamp) for entry in entries[start : start + 1000]]
        hashed.update(json.dumps(part).encode("ascii"))
    return f"record-{hashed.hexdigest()}"


def settle(entries: Iterable[SourceEntry], started: int) -> bool:
    """Have the system store files that changed less than a minute before *started*; tell whether all are stored.

    From then on each write to them gives them another time of change, even one by shared memory (not on tmpfs).
    """
    recent = [
        entry
        for entry in entries
        if entry.stamp is not None and entry.kind == "file" and entry.stamp.changed + _STORED >= started
    ]
    if len(recent) > _MOST_ASKED:
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
    """Tell whether no file could have changed since *started*, in nanoseconds, without another stamp than it has.

    A file that changed within one step of the system's clock before it was read might change once more in that
    step. Windows tells of no time of change that nobody can set, so there the answer is always no.
    """
    return os.name != "nt" and all(
        entry.stamp.changed + (_STEP if entry.stamp.changed % 1_000_000_000 else _COARSE_STEP) < started
        for entry in entries
        if entry.stamp is not None and entry.kind == "file"
    )


def _open_to_others(path: Path) -> bool:
    """Tell whether *path* is a link, or another user could write to it; raises OSError."""
    status = path.lstat()
    writable = hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022)
    return bool(writable) or stat.S_ISLNK(status.st_mode)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode("ascii")
