# SPDX-License-Identifier: Apache-2.0
"""What the stages of making an image hand to each other."""

from pathlib import Path
from typing import Literal, NamedTuple

TAR = "application/vnd.oci.image.layer.v1.tar"
GZIP = f"{TAR}+gzip"

Compression = Literal["fast", "default", "best", "none"]
Times = Literal["fixed", "keep"]


class Source(NamedTuple):
    """A file or folder that goes into an image, and where: *dest* is a Windows path, empty for the image's root."""

    path: Path
    dest: str = ""


class LayerOptions(NamedTuple):
    """How layers are made of sources.

    *exclude* holds patterns as a .dockerignore has them. *security* is the name of a security descriptor, or
    its SDDL. *time* is what every entry gets, in whole seconds from 1970, where *times* is ``fixed``.
    Each source is a layer, or all are one if *one_layer*. *base* is the tar of the base layer, for links into it.
    """

    exclude: tuple[str, ...] = ()
    security: str = "users-read"
    times: Times = "fixed"
    time: int = 0
    compression: Compression = "default"
    one_layer: bool = False
    base: bytes = b""


class Blob(NamedTuple):
    """A layer as an image carries it: a file of *size* bytes at *path*.

    *digest* is of the file, *diff_id* of the tar in it, each as ``sha256:`` and 64 hexadecimal digits.
    """

    path: Path
    digest: str
    diff_id: str
    size: int
    media_type: str
