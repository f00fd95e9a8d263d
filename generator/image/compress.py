# SPDX-License-Identifier: Apache-2.0
"""Compress a layer's tar on all cores, to the same bytes on any number of them.

The tar is cut into members of at most 1 MiB, each compressed by itself; concatenated gzip members are one gzip file
(RFC 1952, 2.2). The cuts and the level of each member depend only on the tar. Reading, hashing, compressing and writing
overlap, with only a few members in memory at a time.
"""

import contextlib
import hashlib
import os
import re
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from ..base.errors import GeneratorError
from .cache import Cache, CacheRecord
from .model import GZIP, TAR, Compression, LayerBlob

MEMBER = 1 << 20  # bytes of the tar
# A member full of small entries is shorter: libdeflate compresses up to 300,000 bytes as one block, in which headers
# and contents share their codes, and longer members of that kind get larger. Its entries take longer to read than to
# compress, so another level costs no time.
DENSE = 288 << 10
_DENSE_ENTRY = 4096  # bytes: the most of an entry with its headers, on average
_DENSE_LEVELS = {5: 7}
# Twice in each entry: in its PAX header, and in its header. An expression finds them faster than bytes.count().
_MAGIC = re.compile(rb"ustar\x0000")
# Levels of libdeflate; 0 stores. Level 5 compresses programs better than zlib's 6; 12 is the best, but slow.
LEVELS: dict[Compression, int] = {"none": 0, "fast": 1, "default": 5, "best": 12}
# ID1 ID2, CM deflate, no flags, no time, no XFL, OS unknown (RFC 1952).
_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
_MOST_THREADS = 8  # more only take memory, since one thread reads and one hashes


class Packed(NamedTuple):
    """A gzip member, its name in the cache, and whether it is missing there."""

    data: bytes
    name: str
    new: bool


def is_dense(data: bytes) -> bool:
    """Return whether a part of a tar is full of small entries."""
    return len(_MAGIC.findall(data)) // 2 * _DENSE_ENTRY >= len(data)


def method(level: int) -> str:
    """Return all that determines compressed bytes besides the data: version and level."""
    import deflate

    return f"{deflate.__version__}-{level}"


def pack(data: bytes, level: int, cache: Cache | None) -> Packed:
    """Return *data* as a gzip member, from the cache if possible."""
    import deflate

    crc = deflate.crc32(data)
    name = f"member-{method(level)}-{crc:08x}{deflate.adler32(data):08x}{len(data):06x}"
    trailer = crc.to_bytes(4, "little") + len(data).to_bytes(4, "little")
    known = cache.member(name) if cache else None
    if known is not None and known.startswith(_HEADER) and known.endswith(trailer):
        with contextlib.suppress(deflate.DeflateError):
            if deflate.deflate_decompress(known[len(_HEADER) : -len(trailer)], len(data)) == data:
                return Packed(known, name, new=False)
    return Packed(b"".join((_HEADER, deflate.deflate_compress(data, level), trailer)), name, new=True)


class Blobber:
    """A writable file that compresses a tar to a blob at *path*; a context manager that ends its threads.

    *level* is libdeflate's, or 0 for a blob that is the tar itself. *progress* receives the bytes written each time.
    """

    def __init__(self, path: Path, level: int, cache: Cache | None, progress: Callable[[int], None]) -> None:
        threads = min(_cores(), _MOST_THREADS)
        self._path = path
        self._level = level
        self._cache = cache
        self._progress = progress
        self._file = _create(path)
        self._diff, self._digest = hashlib.sha256(), hashlib.sha256()
        self._size = self.unpacked = 0  # bytes of the blob, and of the tar in it
        self._members: list[str] = []
        self._parts: list[bytes | memoryview] = []  # of the next member
        self._held = 0  # bytes of them
        self._limit = DENSE  # at which it is cut, or grows
        self._waiting: deque[tuple[Future[Any], ...]] = deque()
        self._most = threads + 4
        self._workers = ThreadPoolExecutor(threads)
        self._hasher, self._writer = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    def __enter__(self) -> "Blobber":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in (self._workers, self._hasher, self._writer):
            pool.shutdown(cancel_futures=True)
        self._file.close()

    def write(self, data: bytes) -> int:
        """Take all of *data*."""
        if self._held + len(data) < self._limit:  # as for most files
            self._parts.append(data)
            self._held += len(data)
            return len(data)
        left = memoryview(data)
        while len(left) >= (step := self._limit - self._held):
            self._parts.append(left[:step])
            self._held = self._limit
            left = left[step:]
            whole = b"".join(self._parts)
            dense = is_dense(whole)
            if dense or self._held == MEMBER:
                self._cut(whole, dense)
            else:
                self._parts, self._limit = [whole], MEMBER
        if left:
            self._parts.append(left)
            self._held += len(left)
        return len(data)

    def align(self) -> None:
        """Begin a new member."""
        if self._held:
            whole = b"".join(self._parts)
            self._cut(whole, is_dense(whole))

    def finish(self) -> tuple[LayerBlob, list[str]]:
        """Return the blob, and the names of its members."""
        self.align()
        while self._waiting:
            self._wait()
        diff_id = f"sha256:{self._diff.hexdigest()}"
        digest = f"sha256:{self._digest.hexdigest()}" if self._level else diff_id
        return LayerBlob(self._path, digest, diff_id, self._size, GZIP if self._level else TAR), self._members

    def _cut(self, data: bytes, dense: bool) -> None:
        """Compress and write a member in other threads; wait if too many are pending."""
        self._parts, self._held, self._limit = [], 0, DENSE
        hashed = self._hasher.submit(self._diff.update, data)
        if self._level:
            level = _DENSE_LEVELS.get(self._level, self._level) if dense else self._level
            packed = self._workers.submit(pack, data, level, self._cache)
            self._waiting.append((hashed, self._writer.submit(self._put_packed, packed)))
        else:
            self._waiting.append((hashed, self._writer.submit(self._put, data)))
        if len(self._waiting) > self._most:
            self._wait()
        self.unpacked += len(data)
        self._progress(len(data))

    def _wait(self) -> None:
        for future in self._waiting.popleft():
            future.result()

    def _put_packed(self, packing: "Future[Packed]") -> None:
        packed = packing.result()
        self._digest.update(packed.data)
        self._put(packed.data)
        self._members.append(packed.name)
        if self._cache is not None and packed.new:
            self._cache.put_member(packed.name, packed.data)

    def _put(self, data: bytes) -> None:
        self._size += len(data)
        _write(self._file, data, self._path)


def replay(record: CacheRecord, cache: Cache, path: Path) -> LayerBlob | None:
    """Return the blob of a record, concatenated at *path* from cached members, or None if one is missing or damaged."""
    digest = hashlib.sha256()
    size = 0
    with _create(path) as file, ThreadPoolExecutor(1) as hasher:
        hashing: Future[None] | None = None
        for name in record.members:
            data = cache.member(name)
            if data is None:
                break
            if hashing is not None:
                hashing.result()
            hashing = hasher.submit(digest.update, data)
            _write(file, data, path)
            size += len(data)
    if (f"sha256:{digest.hexdigest()}", size) == (record.digest, record.size):
        return LayerBlob(path, record.digest, record.diff_id, size, GZIP)
    path.unlink()
    return None


def _create(path: Path) -> FileIO:
    try:
        return path.open("xb", buffering=0)
    except OSError as error:
        raise GeneratorError(f"{path}: cannot be written: {error.strerror}") from error


def _write(file: FileIO, data: bytes, path: Path) -> None:
    """Write all of *data*; a file may take less of it at a time."""
    left = memoryview(data)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise GeneratorError(f"{path}: cannot be written: {error.strerror}") from error


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
