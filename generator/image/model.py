# SPDX-License-Identifier: Apache-2.0
"""The records that the stages of making an image pass on."""

from pathlib import Path
from typing import Literal, NamedTuple

TAR = "application/vnd.oci.image.layer.v1.tar"
GZIP = f"{TAR}+gzip"

Compression = Literal["fast", "default", "best", "none"]
Times = Literal["fixed", "keep"]


class Source(NamedTuple):
    """A file or directory for an image, and its path *dest* there: a Windows path, empty for the root."""

    path: Path
    dest: str = ""


class LayerOptions(NamedTuple):
    """Options of layers.

    *exclude* holds patterns of .dockerignore. *security* is the name of a security descriptor, or SDDL.
    *time* is the time of every entry if *times* is ``fixed``, in whole seconds since 1970.
    Each source is a layer, or all are one if *one_layer*. *base* is the tar of the base layer, for links into it.
    """

    exclude: tuple[str, ...] = ()
    security: str = "users-read"
    times: Times = "fixed"
    time: int = 0
    compression: Compression = "default"
    one_layer: bool = False
    base: bytes = b""


class LayerBlob(NamedTuple):
    """A layer as it is pushed: a file of *size* bytes at *path*.

    *digest* is of the file, *diff_id* of the tar in it, each as ``sha256:`` and 64 hexadecimal digits.
    """

    path: Path
    digest: str
    diff_id: str
    size: int
    media_type: str
