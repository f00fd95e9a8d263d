# SPDX-License-Identifier: Apache-2.0
"""Compress a layer's tar to its blob, one gzip member, and read it back."""

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..base.errors import GeneratorError
from .tar import walk_tar

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BCD_PATH = "UtilityVM/Files/EFI/Microsoft/Boot/BCD"  # microsoft/hcsshim internal/wclayer recognises this spelling
MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"  # OCI image specification, media types
# ID1 ID2, CM deflate, no flags, no time, XFL "slowest algorithm", OS unknown (RFC 1952).
GZIP_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 255])
_ITERATIONS = 15
_MAX_LAYER = 1 << 28  # bytes; a blob that unpacks to more is not one of ours


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer as blob and as tar.

    *compressed* is the gzip blob as pushed, *tar* its uncompressed content; *digest* and *diff_id* are their SHA-256 as
    ``sha256:`` and hexadecimal. *bcd* is the offset and size in bytes of the BCD store in the tar, or None without one.
    """

    compressed: bytes
    tar: bytes
    digest: str
    diff_id: str
    bcd: tuple[int, int] | None


def compress(tar: bytes) -> bytes:
    """Return *tar* as a gzip member; its header depends on neither time nor machine."""
    from zopfli import zopfli  # only a new blob needs it

    member = zopfli.compress(tar, gzip_mode=1, numiterations=_ITERATIONS, blocksplitting=1)
    body = member[10:-8]  # the deflate stream alone; header and trailer are ours
    trailer = zlib.crc32(tar).to_bytes(4, "little") + (len(tar) & 0xFFFFFFFF).to_bytes(4, "little")
    return bytes(GZIP_HEADER + body + trailer)


def read_blob(compressed: bytes, shown: str) -> Blob:
    """Return the layer in the blob *compressed*; raise GeneratorError for damage. *shown* is its path in errors."""
    try:
        unpacker = zlib.decompressobj(wbits=31)
        tar = unpacker.decompress(compressed, _MAX_LAYER)
    except zlib.error as error:
        raise GeneratorError(f"{shown}: not a gzip blob: {error}; hint: ./invokew generate --force") from error
    if not unpacker.eof or unpacker.unused_data:
        raise GeneratorError(f"{shown}: truncated, or more than one gzip member; hint: ./invokew generate --force")
    bcd = next(((offset, size) for path, offset, size in walk_tar(tar, shown) if path == BCD_PATH), None)
    return Blob(compressed, tar, sha256(compressed), sha256(tar), bcd)


def sha256(data: "ReadableBuffer") -> str:
    """Return the digest of *data* as OCI writes it: ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
