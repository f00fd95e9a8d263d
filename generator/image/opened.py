# SPDX-License-Identifier: Apache-2.0
"""Images that exist, opened for reading: OCI layouts, archives, and through skopeo what registries hold.

Names are those of containers-transports(5): ``oci:DIR[:REF]``, ``oci-archive:FILE[:REF]``,
``docker-archive:FILE[:REF]``, ``docker://REF``, and ``dir:DIR``, the form in which skopeo fetches an image unchanged.
In the place of ``:REF`` there may be ``@DIGEST``, as the command ``image`` prints it. REF may stand
alone if it has a slash, or is a name with a digest.

What is read is hostile: documents have a largest size, their digests and sizes are checked before anything is believed,
and layers come as streams.
"""

import contextlib
import hashlib
import io
import os
import posixpath
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from ..errors import GeneratorError, brief, shorten
from ..oci.blob import sha256
from ..oci.untar import Stream
from ..signals import unwinding
from .documents import DIGEST, INDEXES, REF_NAME, Config, Descriptor, Index, Layout, Manifest, Platform, Saved, misread
from .gunzip import Gunzip
from .names import reference
from .stores import Archive, Folder, Store

TRANSPORTS: Final = ("oci", "oci-archive", "docker-archive", "dir", "docker")
_FORMS: Final = ", ".join(f"{each}:{'//REF' if each == 'docker' else '…'}" for each in TRANSPORTS)
_MAX_DOCUMENT: Final = 1 << 22  # bytes, as registries have it for manifests
_MAX_IMAGES: Final = 100  # that a layout's index, and the indexes in it, may lead to
_MAX_LAYERS: Final = 500  # of an image; Docker takes 127
_MAX_LEVELS: Final = 4  # of indexes in indexes
_ATTESTATION: Final = "vnd.docker.reference.type"  # BuildKit marks what is no image but tells of one
_NO_PLATFORM: Final = Platform("unknown", "unknown")  # which such a one is for; whatever else is marked, hosts take
_VERSION: Final = "1.0.0"  # of a layout; there is no other
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

Fault = Callable[[str, str, str], None]
"""What is told of a fault: where it is, the rule that is broken, and what was found."""

_Listed = TypeVar("_Listed")
_Document = TypeVar("_Document", bound=msgspec.Struct)


class Layer(NamedTuple):
    """A layer as an image names it: by *descriptor*, which an archive for `docker load` lacks, and *diff_id*.

    *name* is its digest, or its path in such an archive; *diff_id* is empty where the configuration has none for it.
    """

    name: str
    descriptor: Descriptor | None
    diff_id: str
    store: Store
    path: str

    def open(self) -> io.BufferedReader:
        """Open the blob as it is stored; raises OSError where it cannot be read."""
        return self.store.open(self.path)


class Image(NamedTuple):
    """An image of one platform; *name* is what to call it, *platform* what the index says that it is for, if any.

    *manifest* and *descriptor*, which points to it, are absent in an archive for `docker load`. A document that is
    damaged is None, too, and a fault was told. *raw* is manifest and configuration as they are stored, empty where they
    cannot be read; in an archive for `docker load`, the first is what its manifest.json says of the image.
    """

    name: str
    descriptor: Descriptor | None
    platform: Platform | None
    manifest: Manifest | None
    config: Config | None
    layers: tuple[Layer, ...]
    raw: tuple[bytes, bytes] = (b"", b"")


def refuse(where: str, rule: str, found: str) -> None:
    """Raise GeneratorError for a fault: for who cannot use a damaged image."""
    raise GeneratorError(f"{where}: {found} ({rule})")


@contextlib.contextmanager
def images(name: str, fault: Fault = refuse) -> Iterator[list[Image]]:
    """Open what *name* names, and give its images, one a platform; raises GeneratorError where there is none.

    What is damaged is told to *fault*, and left out.
    """
    with contextlib.ExitStack() as stack:
        transport, path, which = split(name)
        base = f"{transport}:{path}"
        if transport == "docker":
            base = name[: name.find("//") + 2 if name.startswith("docker:") else 0] + reference(path[2:], name).name
            transport, path = "dir", stack.enter_context(_fetched(path.removeprefix("//")))
        store: Store = Archive(Path(path)) if transport.endswith("-archive") else Folder(Path(path))
        stack.callback(store.close)
        reader = _Reader(name, base, store, fault, flat=transport == "dir")
        match transport:
            case "docker-archive":
                found = reader.saved(which)
            case "dir":
                found = reader.fetched(which)
            case _:
                found = reader.listed(which)
        yield found


@contextlib.contextmanager
def _fetched(name: str) -> Iterator[str]:
    """Have skopeo copy what a registry holds to a temporary folder, and give that; every byte stays what it is."""
    from . import registry

    with unwinding(), tempfile.TemporaryDirectory(prefix="winscratch-") as folder:
        registry.fetch(name, Path(folder))
        yield folder


def split(name: str) -> tuple[str, str, str]:
    """Return transport, path and reference, which may be empty or a digest behind ``@``.

    Raises GeneratorError for what is no name.
    """
    transport, divided, rest = name.partition(":")
    if transport not in TRANSPORTS and "\0" not in name and not Path(name).exists():
        found = None
        with contextlib.suppress(GeneratorError):
            found = reference(name, name)
        # A single word, with a tag or not, is sooner a wrong transport or a layer than an image of Docker Hub's.
        if found is not None and ("/" in found.name or (found.digest and not found.tag)):
            return "docker", f"//{name}", ""
        what = f"no such transport as {transport}" if divided else "no image"
        hub = f", or docker://{name} for Docker Hub's" if found is not None else ""
        raise GeneratorError(f"{name}: {what}; give {_FORMS}{hub}")
    if transport not in TRANSPORTS or not rest or "\0" in rest:
        raise GeneratorError(f"{name}: no image; give {_FORMS}")
    if transport == "docker":
        if not rest.startswith("//"):
            raise GeneratorError(f"{name}: a registry's image is spelled docker://REF")
        return transport, rest, ""
    digested = re.fullmatch(rf"(.+)(@(?:{DIGEST.pattern}))", rest, re.DOTALL)
    if digested is not None:
        return transport, digested[1], digested[2]
    drive = os.name == "nt" and re.match(r"[A-Za-z]:[\\/]", rest)
    colon = rest.find(":", 2 if drive else 0)
    return (transport, rest, "") if colon < 0 else (transport, rest[:colon], rest[colon + 1 :])


def unpack(blob: io.BufferedReader, shown: str = "a layer", *, careful: bool = False) -> tuple[str, Stream]:
    """Return how a layer's *blob* is compressed, by its first bytes, and the tar in it as a stream.

    With *careful*, all that is before damage in gzip can be read.

    Raises GeneratorError for zstd where this Python has none; reading raises OSError, EOFError or zlib.error where the
    blob is damaged.
    """
    start = blob.peek(4)
    compression = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "")
    if compression == "gzip":
        return compression, Gunzip(blob, careful=careful)
    if compression == "zstd":
        try:
            from compression import zstd  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise GeneratorError(f"{shown}: compressed by zstd, which Python reads from 3.14 on; use that") from error
        return compression, zstd.ZstdFile(blob)
    return compression, blob


class _Reader(NamedTuple):
    """Reads documents from *store*; *flat* where its files have no folders, as in ``dir:``.

    *name* is what the user called it, *base* that without a tag or digest.
    """

    name: str
    base: str
    store: Store
    fault: Fault
    flat: bool

    def listed(self, reference: str) -> list[Image]:
        """Return the images of a layout, or those called *reference*, if that is not empty."""
        everything = self._index(self._must_read("index.json"), f"{self.name}: index.json")
        where = f"{self.name}: oci-layout"
        raw = self._read("oci-layout", where, "layout")
        layout = self._document(raw, Layout, where) if raw is not None else None
        if layout is not None and layout.version != _VERSION:
            self.fault(where, "layout", f"the version is {brief(layout.version)}")
        if everything is None:
            return []
        wanted = everything
        if reference:
            wanted = [
                each for each in wanted if reference in {(each.annotations or {}).get(REF_NAME), f"@{each.digest}"}
            ]
            if not wanted and reference.startswith("@") and (within := self._gathered(everything, reference[1:])):
                return within
            if not wanted:
                names = sorted({(each.annotations or {}).get(REF_NAME, "") for each in everything} - {""})
                raise GeneratorError(f"{self.name}: the layout has no {brief(reference)}; {_listed(names)}")
        if not wanted:
            raise GeneratorError(f"{self.name}: the layout has no image; make one, or name another")
        return self._gathered(wanted)

    def fetched(self, reference: str) -> list[Image]:
        """Return the images that a folder of skopeo's has, or the one that has the digest behind ``@``."""
        data = self._must_read("manifest.json")
        digest = sha256(data)
        kind = self._document(data, Manifest, f"{self.name}: manifest.json", quiet=True)
        if kind is not None:
            return [self._image(Descriptor(digest, len(data), kind.media_type), data)]
        return self._gathered(self._index(data, f"{self.name}: manifest.json") or [], reference[1:])

    def saved(self, reference: str) -> list[Image]:
        """Return the images of an archive for `docker load`, or the one that has the tag *reference*."""
        data = self._must_read("manifest.json")
        where = f"{self.name}: manifest.json"
        try:
            entries = msgspec.json.decode(data, type=list[msgspec.Raw])
            said = [(msgspec.json.decode(each, type=Saved), bytes(each)) for each in entries]
            wrong = misread(data, Saved)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self.fault(where, "document", str(error))
            return []
        for rule, told in wrong:
            self.fault(where, rule, told)
        if reference:
            spelled = {reference, f"docker.io/{reference}", f"docker.io/library/{reference}"}
            number = reference.removeprefix("@sha256:")
            paths = {f"{number}.json", f"blobs/sha256/{number}"} if reference[:1] == "@" else set()
            said = [
                (each, entry)
                for each, entry in said
                if each.config in paths or spelled.intersection(each.repo_tags or ())
            ]
        if not said:
            raise GeneratorError(f"{self.name}: the archive has no {brief(reference) if reference else 'image'}")
        found = []
        for each, entry in said[:_MAX_IMAGES]:
            raw = self._read(each.config, f"{self.name}: {each.config}")
            config = self._document(raw, Config, f"{self.name}: {each.config}") if raw is not None else None
            ids = _diff_ids(config)
            layers = tuple(
                Layer(path, None, ids[at] if at < len(ids) else "", self.store, path)
                for at, path in enumerate(self._few(each.layers, where))
            )
            found.append(Image(self.name, None, None, None, config, layers, (entry, raw or b"")))
        return found

    def _gathered(self, descriptors: list[Descriptor], only: str = "") -> list[Image]:
        """Return the images that *descriptors* lead to, through indexes or not; or *only* that digest's.

        Each is there once for each size, type and platform that is said of it.
        """
        found: list[Image] = []
        seen: set[tuple[str, int, str | None, Platform | None]] = set()
        todo = [(each, 1) for each in reversed(descriptors)]
        while todo:
            descriptor, level = todo.pop()
            marked = _ATTESTATION in (descriptor.annotations or {})
            said = (descriptor.digest, descriptor.size, descriptor.media_type, descriptor.platform)
            if said in seen or (marked and descriptor.platform == _NO_PLATFORM):
                continue
            if only and descriptor.digest != only and descriptor.media_type not in INDEXES:
                continue
            seen.add(said)
            where = self._called(descriptor.digest)
            if len(seen) > _MAX_IMAGES or level > _MAX_LEVELS:
                self.fault(where, "index", "the indexes lead to more than any image needs")
                break
            data = self._blob(descriptor, where, ".manifest.json")
            if data is None:
                continue
            if descriptor.media_type in INDEXES:
                todo += [(each, level + 1) for each in reversed(self._index(data, where) or [])]
            else:
                found.append(self._image(descriptor, data))
        return found

    def _index(self, data: bytes, where: str) -> list[Descriptor] | None:
        """Return what an index lists, or None where it is damaged."""
        index = self._document(data, Index, where)
        if index is None:
            return None
        if index.schema_version != 2:
            self.fault(where, "schema", f"the schema version is {index.schema_version}")
        if index.media_type not in {None, *INDEXES}:
            self.fault(where, "media-type", f"that of an index is {brief(index.media_type)}")
        return index.manifests

    def _image(self, descriptor: Descriptor, data: bytes) -> Image:
        platform = descriptor.platform
        where = self._called(descriptor.digest)
        manifest = self._document(data, Manifest, where)
        if manifest is None:
            return Image(where, descriptor, platform, None, None, (), (data, b""))
        raw = self._blob(manifest.config, f"{where}: config")
        config = self._document(raw, Config, f"{where}: config") if raw is not None else None
        ids = _diff_ids(config)
        layers = []
        for at, each in enumerate(self._few(manifest.layers, where)):
            path = self._path(each.digest, f"{where}: layers[{at}]")
            layers.append(Layer(each.digest, each, ids[at] if at < len(ids) else "", self.store, path))
        return Image(where, descriptor, platform, manifest, config, tuple(layers), (data, raw or b""))

    def _few(self, layers: list[_Listed], where: str) -> list[_Listed]:
        """Return *layers*, or as many of them as an image may have."""
        if len(layers) > _MAX_LAYERS:
            self.fault(where, "layers", f"there are {len(layers):,}, of which the first {_MAX_LAYERS:,} are looked at")
        return layers[:_MAX_LAYERS]

    def _called(self, digest: str) -> str:
        """Return what to call an image: a name that leads to it alone, which the user can give back."""
        if digest and self.name.endswith(f"@{digest}"):
            return self.name
        return f"{self.base}@{digest if DIGEST.fullmatch(digest) else shorten(digest, 19)}"

    def _path(self, digest: str, where: str, ending: str = "") -> str:
        """Return where the blob of a digest is, empty for what is none."""
        if not DIGEST.fullmatch(digest):
            self.fault(where, "digest", f"{brief(digest)} is no digest")
            return ""
        algorithm, _, number = digest.partition(":")
        if self.flat:
            return (number if algorithm == "sha256" else f"{algorithm}-{number}") + ending
        return posixpath.join("blobs", algorithm, number)

    def _blob(self, descriptor: Descriptor, where: str, ending: str = "") -> bytes | None:
        """Return the document that *descriptor* points to, where it is as that says."""
        path = self._path(descriptor.digest, where, ending)
        data = self._read(path, where) if path else None
        if data is None:
            return None
        if len(data) != descriptor.size:
            self.fault(where, "size", f"the descriptor says {descriptor.size:,} bytes, and there are {len(data):,}")
        algorithm = descriptor.digest.partition(":")[0]
        digest = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
        if digest != descriptor.digest:
            self.fault(where, "digest", f"the content has the digest {digest}")
            return None
        return data

    def _must_read(self, path: str) -> bytes:
        """Return the file that makes a folder or an archive what it is."""
        try:
            with self.store.open(path) as file:
                data = file.read(_MAX_DOCUMENT + 1)
        except OSError as error:
            raise GeneratorError(f"{self.name}: {path} cannot be read: {error.strerror}; is it an image?") from error
        if len(data) > _MAX_DOCUMENT:
            raise GeneratorError(f"{self.name}: {path} has more than {_MAX_DOCUMENT:,} bytes, which none needs")
        return data

    def _read(self, path: str, where: str, rule: str = "blob") -> bytes | None:
        try:
            with self.store.open(path) as file:
                data = file.read(_MAX_DOCUMENT + 1)
        except (OSError, ValueError) as error:
            self.fault(where, rule, f"it cannot be read: {getattr(error, 'strerror', None) or error}")
            return None
        if len(data) > _MAX_DOCUMENT:
            self.fault(where, "document", f"the document has more than {_MAX_DOCUMENT:,} bytes, which none needs")
            return None
        return data

    def _document(self, data: bytes, kind: type[_Document], where: str, *, quiet: bool = False) -> _Document | None:
        try:
            document = msgspec.json.decode(data, type=kind)
            wrong = [] if quiet else misread(data, kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            if not quiet:
                self.fault(where, "document", f"no {kind.__name__.lower()}: {error}")
            return None
        for rule, told in wrong:
            self.fault(where, rule, told)
        return document


def _listed(names: list[str]) -> str:
    return f"its images are called {shorten(', '.join(names), 200)}" if names else "its images have no names"


def _diff_ids(config: Config | None) -> list[str]:
    return (config.rootfs.diff_ids if config and config.rootfs else None) or []
