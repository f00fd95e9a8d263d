# SPDX-License-Identifier: Apache-2.0
"""The records that the stages of making an image pass on."""

from pathlib import Path
from typing import Literal, NamedTuple, Protocol

TAR = "application/vnd.oci.image.layer.v1.tar"
GZIP = f"{TAR}+gzip"

Compression = Literal["fast", "default", "best", "none"]
Times = Literal["fixed", "keep"]


class Readable(Protocol):
    """A binary file that is open for reading."""

    def read(self, size: int, /) -> bytes:
        """Return at most *size* bytes, and none at the end."""
        ...


Data = bytes | bytearray | memoryview | Readable


class EntryOptions(NamedTuple):
    """Options of all entries of a source, which override those of the layer.

    *security* is the name of a security descriptor, or SDDL, *attributes* the bits that replace the default ones, and
    *time* nanoseconds since 1970 or as in LayerOptions.times.
    """

    security: str = ""
    attributes: int = 0
    time: int | Times | None = None


class Source(NamedTuple):
    """A file or directory for an image, and its path *dest* there: a Windows path, empty for the root.

    A source with *data* has no path until spooled(); *shown* replaces its path in errors.
    """

    path: Path
    dest: str = ""
    own: EntryOptions = EntryOptions()
    data: "Data | None" = None
    shown: str = ""


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
