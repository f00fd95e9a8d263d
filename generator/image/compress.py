# SPDX-License-Identifier: Apache-2.0
"""A layer's tar to the blob that an image carries, on all cores and with the same bytes on any number of them.

The tar is cut into members of at most 1 MiB, each compressed by itself; gzip members that are joined are one gzip
file (RFC 1952, 2.2). Where they are cut depends on the tar alone. Reading, hashing, compressing and writing
overlap, and no more than a few members are in memory at a time.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import GeneratorError
from .model import GZIP, TAR, Blob, Compression
from .progress import Advance

MEMBER = 1 << 20  # bytes of the tar
# What libdeflate is asked for; 0 is no compression at all.
LEVELS: dict[Compression, int] = {"none": 0, "fast": 1, "default": 6, "best": 9}
# ID1 ID2, CM deflate, no flags, no time, no XFL, OS unknown (RFC 1952).
_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
_MOST_THREADS = 16  # more would only take memory: one thread reads and hashes for all


def member(data: bytes, level: int) -> bytes:
    """Return *data* as a gzip member."""
    import deflate

    trailer = deflate.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return b"".join((_HEADER, deflate.deflate_compress(data, level), trailer))


class Blobber:
    """A file to write a tar to, which becomes a blob at *path*; a context manager, whose end waits for nothing.

    *advance* is told how many bytes of the tar were taken.
    """

    def __init__(
        self, path: Path, compress: Callable[[bytes], bytes] | None, advance: Advance = lambda _: None
    ) -> None:
        threads = min(_cores(), _MOST_THREADS)
        self._path = path
        self._compress = compress
        self._advance = advance
        self._file = path.open("xb", buffering=0)
        self._diff, self._digest = hashlib.sha256(), hashlib.sha256()
        self._size = 0
        self._part = bytearray()
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
        if not self._part and len(data) == MEMBER:
            self._cut(data)
            return MEMBER
        at = 0
        while at < len(data):
            step = min(MEMBER - len(self._part), len(data) - at)
            self._part += data[at : at + step] if step < len(data) else data
            at += step
            if len(self._part) == MEMBER:
                self.align()
        return len(data)

    def align(self) -> None:
        """Begin a new member."""
        if self._part:
            self._cut(bytes(self._part))
            self._part = bytearray()

    def finish(self) -> Blob:
        """Return the blob of all that was written."""
        self.align()
        while self._waiting:
            self._wait()
        diff_id = f"sha256:{self._diff.hexdigest()}"
        if self._compress is None:
            return Blob(self._path, diff_id, diff_id, self._size, TAR)
        return Blob(self._path, f"sha256:{self._digest.hexdigest()}", diff_id, self._size, GZIP)

    def _cut(self, data: bytes) -> None:
        """Hand a member on, and wait where too many are under way."""
        self._advance(len(data))
        hashed = self._hasher.submit(self._diff.update, data)
        if self._compress is None:
            self._waiting.append((hashed, self._writer.submit(self._put, data)))
        else:
            packed = self._workers.submit(self._compress, data)
            self._waiting.append((hashed, self._writer.submit(self._put_packed, packed)))
        if len(self._waiting) > self._most:
            self._wait()

    def _wait(self) -> None:
        for future in self._waiting.popleft():
            future.result()

    def _put_packed(self, packed: "Future[bytes]") -> None:
        data = packed.result()
        self._digest.update(data)
        self._put(data)

    def _put(self, data: bytes) -> None:
        self._size += len(data)
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise GeneratorError(f"{self._path}: cannot be written: {error.strerror}") from error


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
