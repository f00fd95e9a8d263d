# SPDX-License-Identifier: Apache-2.0
"""Open images for reading: OCI layouts, archives, and images in registries through skopeo.

Names are those of containers-transports(5): ``oci:DIR[:REF]``, ``oci-archive:FILE[:REF]``,
``docker-archive:FILE[:REF]``, ``docker://REF``, and ``dir:DIR``, the form in which skopeo fetches an image unchanged.
``@DIGEST`` may replace ``:REF``, as the command ``image`` prints it. ``docker://`` may be left out if REF contains a
slash, or has a digest and no tag.

Images are untrusted: the size of documents is limited, their digests and sizes are checked before use, and layers are
read as streams.
"""

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ..base.errors import GeneratorError
from ..base.file_kinds import IMAGE_FORMS, TAR, file_kind
from ..base.signals import unwinding
from .blobs import ArchiveStore, FolderStore, Store, beginning
from .documents import DIGEST, Index
from .found import Fault, Image, Layer, Skip, refuse
from .gunzip import GzipReader
from .reader import MAX_DOCUMENTS, Reader
from .references import reference
from .untar import ByteStream

__all__ = ["TRANSPORTS", "Fault", "Image", "Layer", "Skip", "images", "refuse", "split", "unpack"]

TRANSPORTS: Final = ("oci", "oci-archive", "docker-archive", "dir", "docker")
_FORMS: Final = ", ".join(f"{each}:{'//REF' if each == 'docker' else '…'}" for each in TRANSPORTS)
_GZIP: Final = b"\x1f\x8b"
_MAGIC: Final = {bytes([low, 0x2A, 0x4D, 0x18]): "zstd" for low in range(0x50, 0x60)} | {b"\x28\xb5\x2f\xfd": "zstd"}
"""First bytes of Zstandard frames. Source: github.com/containerd/containerd archive/compression."""


@contextlib.contextmanager
def images(
    name: str,
    fault: Fault = refuse,
    skip: Skip | None = None,
    plain: Sequence[str] | None = None,
    *,
    windows: bool = True,
    indexes: list[Index] | None = None,
    attestations: list[Image] | None = None,
) -> Iterator[list[Image]]:
    """Open the images called *name*, one for each platform, without artifacts. Raises GeneratorError.

    *plain* lists registries that may be used without TLS; None if the command has no such option. *fault* is called for
    each damaged part, which is then left out. *skip* is called for each artifact that is left out. With *skip* and
    *windows*, images of other systems than Windows are left out too, and *skip* is called for each. Each index read is
    appended to *indexes*. With a list as *attestations*, BuildKit's are appended to it and not skipped.
    """
    windows = windows and skip is not None
    with contextlib.ExitStack() as stack:
        transport, path, which = split(name)
        base = f"{transport}:{path}"
        if transport == "docker":
            base = name[: name.find("//") + 2 if name.startswith("docker:") else 0] + reference(path[2:], name).name
            from . import registry

            stack.enter_context(unwinding())
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="winscratch-"))
            registry.fetch(path.removeprefix("//"), Path(folder), windows=windows, plain=plain)
            transport, path = "dir", folder
        else:
            _check_form(name, transport, path)
        store: Store = ArchiveStore(Path(path)) if transport.endswith("-archive") else FolderStore(Path(path))
        stack.callback(store.close)
        flat, room = transport == "dir", [MAX_DOCUMENTS]
        reader = Reader(name, base, store, fault, flat, skip, room, windows, indexes, attestations)
        opened = {"docker-archive": reader.saved, "dir": reader.fetched}.get(transport, reader.listed)
        yield opened(which)


def split(name: str) -> tuple[str, str, str]:
    """Split *name* into transport, path and reference; the reference may be empty, or ``@`` with a digest.

    Raises GeneratorError for an invalid name.
    """
    if not name:
        raise GeneratorError(f"'': an empty name of an image; hint: give {_FORMS}")
    transport, divided, rest = name.partition(":")
    if transport not in TRANSPORTS and not os.path.exists(name):  # noqa: PTH110 - Path raises for names too long
        found = None
        with contextlib.suppress(GeneratorError):
            found = reference(name, name)
        # A single word, with a tag or not, is more likely a mistyped transport or a layer than an image of Docker Hub.
        if found is not None and ("/" in found.name or (found.digest and not found.tag)):
            return "docker", f"//{name}", ""
        what = f"unknown transport {transport}" if divided else "not an image"
        hub = f", or docker://{name} for Docker Hub's" if found is not None else ""
        raise GeneratorError(f"{name}: {what}; hint: give {_FORMS}{hub}")
    if transport not in TRANSPORTS:
        raise _not_an_image(name, name)
    if not rest or "\0" in rest:
        raise GeneratorError(f"{name}: not an image; hint: give {_FORMS}")
    if transport == "docker":
        if not rest.startswith("//"):
            raise GeneratorError(f"{name}: // is missing; hint: docker://REF")
        return transport, rest, ""
    digested = re.fullmatch(rf"(.+)(@(?:{DIGEST.pattern}))", rest, re.DOTALL)
    if digested is not None:
        return transport, digested[1], digested[2]
    drive = os.name == "nt" and re.match(r"[A-Za-z]:[\\/]", rest)
    colon = rest.find(":", 2 if drive else 0)
    return (transport, rest, "") if colon < 0 else (transport, rest[:colon], rest[colon + 1 :])


def _check_form(name: str, transport: str, path: str) -> None:
    """Raise GeneratorError if *path* is a file, unless *transport* takes archives and it is one."""
    with contextlib.suppress(OSError):
        start = beginning(Path(path))
        if not transport.endswith("-archive") or file_kind(start) not in {TAR, None}:
            raise _not_an_image(name, path, start)


def _not_an_image(name: str, path: str, start: bytes | None = None) -> GeneratorError:
    """Return the error for a path that is not an image: a folder, or a file of another kind."""
    try:
        if Path(path).is_dir():
            forms = {"oci:": "oci-layout", "dir:": "manifest.json"}
            form = next((form for form, file in forms.items() if (Path(path) / file).exists()), "")
            hint = f"{form}{path}" if form else f"give {_FORMS}"
            return GeneratorError(f"{name}: not an image: a folder; hint: {hint}")
        if start is None:
            start = beginning(Path(path))
    except OSError as error:
        return GeneratorError(f"{name}: cannot be read: {error.strerror}")
    kind = file_kind(start)
    what = kind.name if kind else "an unknown file" if start else "an empty file"
    hint = kind.image_hint.format(path) if kind else IMAGE_FORMS
    return GeneratorError(f"{name}: not an image: {what}; hint: {hint}")


def unpack(blob: io.BufferedReader, *, careful: bool = False) -> tuple[str, ByteStream]:
    """Detect the compression of a layer's *blob* by its first bytes; return it, and the tar as a stream.

    Reading raises OSError, EOFError or zlib.error if the blob is damaged; with *careful*, the stream of a damaged gzip
    first returns every byte before the damage.
    """
    start = blob.peek(4)[:4]
    compression = _MAGIC.get(start, "gzip" if start[:2] == _GZIP else "")
    if compression == "gzip":
        return compression, GzipReader(blob, careful=careful)
    if compression == "zstd":
        from .unzstd import ZstdReader

        return compression, ZstdReader(blob)
    return compression, blob
