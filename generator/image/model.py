# SPDX-License-Identifier: Apache-2.0
"""Records that the stages of building an image pass to each other."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

from ..imageread.found import Image, Layer
from ..imageread.lookup import Lookup
from ..imageread.untar import ByteStream

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
    Each source becomes a layer, or with *one_layer* all become one. *below* opens the tars of the layers below, to
    resolve symlinks into them; *complete* is true if it has all of them. *link* has the kinds of links set by the user,
    by path.
    """

    exclude: tuple[str, ...] = ()
    security: str = "users-read"
    times: Times = "fixed"
    time: int = 0
    compression: Compression = "default"
    one_layer: bool = False
    below: tuple[Callable[[], ByteStream], ...] = ()
    complete: bool = True
    link: Mapping[str, str] = MappingProxyType({})


class Origin(NamedTuple):
    """Where a layer of another image is: *layer* of *image*, found by *lookup*."""

    lookup: Lookup
    image: Image
    layer: Layer

    @property
    def manifest(self) -> str:
        """The digest of the image's manifest; empty in a `docker save` archive, which has none."""
        return self.image.descriptor.digest if self.image.descriptor is not None else ""


class LayerBlob(NamedTuple):
    """A layer as it is pushed: a file of *size* bytes at *path*.

    *digest* is of the file, *diff_id* of the tar in it, each as ``sha256:`` and 64 hexadecimal digits. A layer with an
    *origin* gets its file when transfer.fetch() is called. *fields* holds other fields of its descriptor.
    """

    path: Path
    digest: str
    diff_id: str
    size: int
    media_type: str
    origin: Origin | None = None
    fields: Mapping[str, Any] = MappingProxyType({})

    @property
    def foreign(self) -> bool:
        """Whether the layer stays where its URLs lead, and is never fetched; others with URLs are stored as well."""
        return "nondistributable" in self.media_type and bool(self.fields.get("urls"))
