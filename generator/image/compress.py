# SPDX-License-Identifier: Apache-2.0
"""Compress chunks of a layer's tar, and write them as one blob.

A chunk becomes one or more gzip members of at most 1 MiB of the tar, each compressed by itself; concatenated gzip
members are one gzip file (RFC 1952, 2.2). The members depend only on the chunk.
"""

import collections
import contextlib
import hashlib
import itertools
import math
import operator
import pickle
import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from ..base.errors import GeneratorError
from .cache import Cache, CacheRecord
from .model import GZIP, TAR, Compression, LayerBlob

MEMBER = 1 << 20  # bytes of the tar
# A member full of small entries is shorter: libdeflate compresses up to 300,000 bytes as one block, in which headers
# and contents share their codes, and longer members of that kind get larger.
DENSE = 288 << 10
DENSE_ENTRY = 4096  # bytes: the most of a small entry with its headers, on average
_DENSE_LEVELS = {5: 7}
_RANDOM_LEVELS = {5: 1}  # compressed files get no smaller by a higher level
_SAMPLE = 512  # bytes by which such a chunk is recognised
_EVEN = 1.15  # times the sum of squared frequencies if all bytes are equally frequent: the most of compressed data
# Levels of libdeflate; 0 stores. Level 5 compresses programs better than zlib's 6; 12 is the best, but slow.
LEVELS: dict[Compression, int] = {"none": 0, "fast": 1, "default": 5, "best": 12}
# ID1 ID2, CM deflate, no flags, no time, no XFL, OS unknown (RFC 1952).
_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])

Buffer = bytes | memoryview | pickle.PickleBuffer


class Chunk(NamedTuple):
    """A chunk of a tar of *size* bytes, the gzip members that it compresses to, and their name in the cache.

    The chunk is at the start of the memory that a worker has written to, or if it is too large, it is *data*.
    """

    size: int
    members: Buffer
    name: str
    data: Buffer | None = None


def method(level: int) -> str:
    """Return all that determines compressed bytes besides the data: version and level."""
    import deflate

    return f"{deflate.__version__}-{level}"


def compressed(tar: memoryview, level: int, cache: Cache | None, *, dense: bool = False) -> tuple[bytes, str]:
    """Return a chunk of a tar as gzip members, and their name in the cache, from which they are taken if possible.

    *level* is libdeflate's, or 0 for no members. *dense* is true if the chunk is full of small entries.
    """
    import deflate

    if level == 0:
        return b"", ""
    if dense:
        level = _DENSE_LEVELS.get(level, level)
    elif level in _RANDOM_LEVELS and _is_random(tar):
        level = _RANDOM_LEVELS[level]
    step = math.ceil(len(tar) / math.ceil(len(tar) / (DENSE if dense else MEMBER)))
    pieces = [tar[at : at + step] for at in range(0, len(tar), step)]
    name = f"chunk-{method(level)}-{step:06x}{len(tar):06x}{deflate.crc32(tar):08x}{deflate.adler32(tar):08x}"
    known = unindexed(cache.chunk(name) or b"") if cache else []
    if len(known) == len(pieces) and all(map(operator.eq, map(_unpacked, known), pieces)):
        return b"".join(known), name
    members = [_member(piece, level) for piece in pieces]
    if cache:
        cache.put_chunk(name, _indexed(members))
    return b"".join(members), name


def _is_random(tar: memoryview) -> bool:
    """Return whether all bytes are about equally frequent, so that compression gains little."""
    sample = bytes(tar[:: max(1, len(tar) // _SAMPLE)])
    even = len(sample) * (len(sample) + 255) / 256
    return sum(count * count for count in collections.Counter(sample).values()) < _EVEN * even


def _member(data: memoryview, level: int) -> bytes:
    """Return *data* as a gzip member."""
    import deflate

    trailer = deflate.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return b"".join((_HEADER, deflate.deflate_compress(data, level), trailer))


def _unpacked(member: bytes) -> bytes | None:
    """Return the data of a member by _member(), or None if it is not one."""
    import deflate

    size = int.from_bytes(member[-4:], "little")
    if member.startswith(_HEADER) and size <= MEMBER:
        with contextlib.suppress(deflate.DeflateError):
            data = deflate.deflate_decompress(member[len(_HEADER) : -8], size)
            if deflate.crc32(data) == int.from_bytes(member[-8:-4], "little"):
                return bytes(data)
    return None


def _indexed(members: Sequence[bytes]) -> bytes:
    """Return *members* behind their number and sizes, as the cache has them."""
    return struct.pack(f"<{len(members) + 1}I", len(members), *map(len, members)) + b"".join(members)


def unindexed(data: bytes) -> list[bytes]:
    """Return the members that _indexed() took; none for other data."""
    if len(data) < 4 or len(data) < (at := 4 + 4 * struct.unpack_from("<I", data)[0]):
        return []
    ends = list(itertools.accumulate(struct.unpack_from(f"<{at // 4 - 1}I", data, 4), initial=at))
    return [data[start:end] for start, end in itertools.pairwise(ends)] if ends[-1] == len(data) else []


def write_blob(path: Path, chunks: Iterable[tuple[Chunk, memoryview]], level: int) -> tuple[LayerBlob, list[str], int]:
    """Write a blob of *chunks* to *path*; return it, the names of its chunks in the cache, and the size of its tar.

    Each chunk comes with the memory of its worker.
    """
    diff, digest = hashlib.sha256(), hashlib.sha256()
    names: list[str] = []
    size = unpacked = 0
    with _create(path) as file:
        for chunk, memory in chunks:
            tar = memory[: chunk.size] if chunk.data is None else memoryview(chunk.data)
            diff.update(tar)
            unpacked += chunk.size
            members = memoryview(chunk.members)
            digest.update(members)
            size += len(members)
            _write(file, members, path)
            names.append(chunk.name)
            if not level:
                _write(file, tar, path)
    diff_id = f"sha256:{diff.hexdigest()}"
    if not level:
        return LayerBlob(path, diff_id, diff_id, unpacked, TAR), names, unpacked
    return LayerBlob(path, f"sha256:{digest.hexdigest()}", diff_id, size, GZIP), names, unpacked


def replay(record: CacheRecord, cache: Cache, path: Path) -> LayerBlob | None:
    """Return the blob of a record, concatenated at *path* from cached chunks, or None if one is missing or damaged."""
    digest = hashlib.sha256()
    size = 0
    with _create(path) as file, ThreadPoolExecutor(1) as hasher:
        hashing: Future[None] | None = None
        for name in record.chunks:
            members = b"".join(unindexed(cache.chunk(name) or b""))
            if not members:
                break
            if hashing is not None:
                hashing.result()
            hashing = hasher.submit(digest.update, members)
            _write(file, members, path)
            size += len(members)
    if (f"sha256:{digest.hexdigest()}", size) == (record.digest, record.size):
        return LayerBlob(path, record.digest, record.diff_id, size, GZIP)
    path.unlink()
    return None


def _create(path: Path) -> FileIO:
    try:
        return path.open("xb", buffering=0)
    except OSError as error:
        raise GeneratorError(f"{path}: cannot be written: {error.strerror}") from error


def _write(file: FileIO, data: bytes | memoryview, path: Path) -> None:
    """Write all of *data*; a file may take less of it at a time."""
    left = memoryview(data)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        raise GeneratorError(f"{path}: cannot be written: {error.strerror}") from error
