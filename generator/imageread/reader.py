# SPDX-License-Identifier: Apache-2.0
"""Read the documents of the images in an OCI layout, in skopeo's ``dir:`` format, or in an archive."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, TypeVar

import msgspec

from ..base.errors import GeneratorError, brief, counted, shorten
from ..oci.blob import sha256
from .blobs import ArchiveStore, Store
from .documents import (
    DIGEST,
    INDEXES,
    REF_NAME,
    Config,
    ContentDescriptor,
    ImagePlatform,
    Index,
    Layout,
    Manifest,
    Saved,
    read,
    read_saved,
)
from .found import (
    Fault,
    Image,
    Layer,
    Skip,
    called,
    claims_windows,
    diff_ids,
    flat_name,
    is_attestation,
    is_foreign,
    not_an_image,
    passed_over,
    two_faces,
)

_MAX_DOCUMENT: Final = 1 << 22  # bytes, registries' limit for manifests
MAX_DOCUMENTS: Final = 1 << 26  # bytes of all documents read for one name
_MAX_IMAGES: Final = 100  # images and indexes read for one name
_MAX_LAYERS: Final = 500  # layers of an image; Docker accepts 127
_MAX_LEVELS: Final = 4  # levels of nested indexes
_VERSION: Final = "1.0.0"  # the only version of layouts

_Listed = TypeVar("_Listed")
_Document = TypeVar("_Document", bound=msgspec.Struct)


class Reader(NamedTuple):
    """Reads documents from *store*; *flat* if all blobs are in one folder, as in ``dir:``.

    *name* is as the user spelled it, *base* the same without tag or digest. *skip* is called for each artifact and,
    with *windows*, for each image of another system than Windows. *room* has one item, the bytes still allowed for
    documents; each index read is appended to *indexes*, and each attestation to *attestations*, if they are lists.
    """

    name: str
    base: str
    store: Store
    fault: Fault
    flat: bool
    skip: Skip | None
    room: list[int]
    windows: bool
    indexes: list[Index] | None = None
    attestations: list[Image] | None = None

    def listed(self, reference: str) -> list[Image]:
        """Return the images of a layout, or those called *reference* if it is not empty."""
        everything = self._index(*self._must_read("index.json"))
        where = f"{self.name}: oci-layout"
        raw = self._read("oci-layout", where, "layout")
        self._once("oci-layout", where)
        layout = self._document(raw, Layout, where) if raw is not None else None
        if layout is not None and layout.version != _VERSION:
            self.fault(where, "layout", f"the version is {brief(layout.version)}")
        if everything is None:
            return []
        wanted = everything
        if reference:
            named = [((each.annotations or {}).get(REF_NAME, ""), each) for each in everything]
            wanted = [each for name, each in named if reference in {name, f"@{each.digest}"}]
            if not wanted and reference.startswith("@"):
                passed: list[tuple[str, str]] = []
                own = self._replace(skip=self.skip and (lambda *entry: passed.append(entry)))
                within = own._gathered(everything, reference[1:])
                for where, why in passed:
                    self._skip(where, why)
                if within or passed:
                    return within
            if not wanted:
                names = sorted({name for name, _ in named} - {""})
                hint = f"its images are {shorten(', '.join(names), 200)}" if names else "its images have no names"
                raise GeneratorError(f"{self.name}: the layout has no {brief(reference)}; hint: {hint}")
        if not wanted:
            raise GeneratorError(f"{self.name}: the layout has no image; hint: name another")
        self._other_face(everything, None)
        return self._gathered(wanted)

    def fetched(self, reference: str) -> list[Image]:
        """Return the images of a ``dir:`` folder, or only the one that *reference*, ``@DIGEST``, names."""
        data, where = self._must_read("manifest.json")
        quiet = self._replace(fault=lambda *_: None)  # _index() reports the faults of an index
        kind = quiet._document(data, Manifest, where)
        index = quiet._document(data, Index, where)
        if kind is not None and not (index is not None and index.manifests):
            image = self._image(ContentDescriptor(sha256(data), len(data), kind.media_type), data)
            return [] if image is None else [image]
        return self._gathered(self._index(data, where) or [], reference[1:])

    def saved(self, reference: str) -> list[Image]:
        """Return the images of an archive for `docker load`, or the one with the tag *reference*."""
        data, where = self._must_read("manifest.json")
        entries = self._decoded(partial(read_saved, data), where)
        if entries is None:
            return []
        self._other_face(None, entries)
        if reference:
            spelled = {reference, f"docker.io/{reference}", f"docker.io/library/{reference}"}
            number = reference.removeprefix("@sha256:")
            paths = {f"{number}.json", f"blobs/sha256/{number}"} if reference[:1] == "@" else set()
            entries = [each for each in entries if each[0].config in paths or spelled & set(each[0].repo_tags or ())]
        if not entries:
            raise GeneratorError(f"{self.name}: the archive has no {brief(reference) if reference else 'image'}")
        found = (self._saved_image(each, entry, where) for each, entry in entries[:_MAX_IMAGES])
        return [image for image in found if image is not None]

    def _saved_image(self, saved: Saved, entry: bytes, where: str) -> Image | None:
        """Return an image of an archive for `docker load`, or None if it is skipped."""
        faults: list[tuple[str, str, str]] = []
        own = self._replace(fault=lambda *fault: faults.append(fault))
        raw = own._read(saved.config, f"{self.name}: {saved.config}")
        own._once(saved.config, f"{self.name}: {saved.config}")
        config = own._document(raw, Config, f"{self.name}: {saved.config}") if raw is not None else None
        if config is not None and self.windows and is_foreign(config.os):
            self._skip(f"{self.name}: {shorten(saved.config)}", called(config))
            return None
        ids = diff_ids(config)
        layers = []
        for at, path in enumerate(own._few(saved.layers, where)):
            own._once(path, f"{self.name}: layers[{at}]")
            layers.append(Layer(path, None, ids[at] if at < len(ids) else "", self.store, path))
        for fault in faults:
            self.fault(*fault)
        return Image(self.name, None, None, None, config, tuple(layers), (entry, raw or b""))

    def _other_face(self, listed: Sequence[ContentDescriptor] | None, saved: list[tuple[Saved, bytes]] | None) -> None:
        """Add a fault if an archive's index.json and its manifest.json for `docker load` lead to different images.

        Docker's releases differ in which of the two they read. An argument that is None is read here. Source:
        github.com/containerd/containerd core/images/archive/importer.go.
        """
        files = ("oci-layout", "index.json", "manifest.json")
        if not isinstance(self.store, ArchiveStore) or not all(map(self.store.has, files)):
            return
        quiet = self._replace(fault=lambda *_: None, skip=None, windows=False, indexes=None, attestations=None)
        if listed is None:
            listed = quiet._index(*self._must_read("index.json")) or []
        where = f"{self.name}: manifest.json"
        if saved is None:
            saved = self._decoded(partial(read_saved, self._must_read("manifest.json")[0]), where) or []
        configs = (quiet._read(entry.config, "") for entry, _ in saved[:_MAX_IMAGES])
        digests = ("" if raw is None else sha256(raw) for raw in configs)
        for each in two_faces(quiet._gathered(listed), zip((entry for entry, _ in saved), digests, strict=False)):
            self.fault(where, "two-faces", each)

    def _gathered(self, descriptors: Sequence[ContentDescriptor], only: str = "") -> list[Image]:
        """Return the images that *descriptors* lead to, through indexes too, each once; with *only*, of that digest."""
        found: list[Image] = []
        seen: set[tuple[str, int, str | None, ImagePlatform | None]] = set()
        read, todo = 0, [(each, 1) for each in reversed(descriptors)]
        while todo:
            descriptor, level = todo.pop()
            claims = (descriptor.digest, descriptor.size, descriptor.media_type, descriptor.platform)
            if claims in seen or (only and descriptor.digest != only and descriptor.media_type not in INDEXES):
                continue
            seen.add(claims)
            where = self._called(descriptor.digest)
            apart = self.attestations is not None and is_attestation(descriptor)
            if not apart and (why := passed_over(descriptor, windows=self.windows)):
                self._skip(where, why)
                continue
            read += 1
            if read > _MAX_IMAGES * (2 if self.attestations is not None else 1) or level > _MAX_LEVELS:
                self.fault(where, "index", "the indexes lead to too many images")
                break
            data = self._blob(descriptor, where, ".manifest.json")
            if data is None:
                continue
            if descriptor.media_type in INDEXES:
                todo += [(each, level + 1) for each in reversed(self._index(data, where) or [])]
            elif (image := self._image(descriptor, data, apart=apart)) is not None:
                (self.attestations if apart and self.attestations is not None else found).append(image)
        return found

    def _index(self, data: bytes, where: str) -> Sequence[ContentDescriptor] | None:
        """Return the entries of an index, or None if it is damaged."""
        index = self._document(data, Index, where)
        if index is None:
            return None
        if index.schema_version != 2:
            self.fault(where, "schema", f"the schema version is {index.schema_version}")
        if index.media_type not in {None, "", *INDEXES}:
            self.fault(where, "media-type", f"the index has {brief(index.media_type)}")
        if self.indexes is not None:
            self.indexes.append(index)
        return index.manifests

    def _image(self, descriptor: ContentDescriptor, data: bytes, *, apart: bool = False) -> Image | None:
        """Return the image, or with *apart* the attestation, of the manifest *data*; None if it is skipped."""
        platform = descriptor.platform
        where = self._called(descriptor.digest)
        manifest = self._document(data, Manifest, where)
        if manifest is None:
            return Image(where, descriptor, platform, None, None, (), (data, b""))
        faults: list[tuple[str, str, str]] = []
        own = self._replace(fault=lambda *fault: faults.append(fault))
        raw = own._blob(manifest.config, f"{where}: config")
        config = own._document(raw, Config, f"{where}: config") if raw is not None else None
        why = not_an_image(descriptor, manifest, config)
        if not why and self.windows and config is not None and not claims_windows(platform) and is_foreign(config.os):
            why = called(config)
        if why and not apart:
            self._skip(where, why)
            return None
        ids = diff_ids(config)
        layers = []
        for at, each in enumerate(own._few(manifest.layers, where)):
            path = own._path(each.digest, f"{where}: layers[{at}]")
            layers.append(Layer(each.digest, each, ids[at] if at < len(ids) else "", self.store, path))
        for fault in faults:
            self.fault(*fault)
        return Image(where, descriptor, platform, manifest, config, tuple(layers), (data, raw or b""))

    def _skip(self, where: str, why: str) -> None:
        if self.skip:
            self.skip(where, why)

    def _few(self, layers: list[_Listed], where: str) -> list[_Listed]:
        """Return the first _MAX_LAYERS of *layers*; report a fault if there are more."""
        if len(layers) > _MAX_LAYERS:
            self.fault(where, "layers", f"there are {len(layers):,}, of which the first {_MAX_LAYERS:,} are checked")
        return layers[:_MAX_LAYERS]

    def _called(self, digest: str) -> str:
        """Return a name of exactly one image, to show in reports and to accept as an argument."""
        if digest and self.name.endswith(f"@{digest}"):
            return self.name
        return f"{self.base}@{digest if DIGEST.fullmatch(digest) else shorten(digest, 19)}"

    def _path(self, digest: str, where: str, ending: str = "") -> str:
        """Return the path of a blob, or an empty string if its digest is invalid, which is reported."""
        if not DIGEST.fullmatch(digest):
            self.fault(where, "digest", f"{brief(digest)} is not a digest")
            return ""
        return flat_name(digest) + ending if self.flat else f"blobs/{digest.replace(':', '/')}"

    def _blob(self, descriptor: ContentDescriptor, where: str, ending: str = "") -> bytes | None:
        """Return the document that *descriptor* points to, or None if it is unreadable or its digest differs."""
        path = self._path(descriptor.digest, where, ending)
        data = self._read(path, where) if path else None
        if data is None:
            return None
        if len(data) != descriptor.size:
            said = counted(descriptor.size, "byte")
            self.fault(where, "size", f"the descriptor says {said}, and there are {len(data):,}")
        algorithm = descriptor.digest.partition(":")[0]
        digest = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
        if digest != descriptor.digest:
            self.fault(where, "digest", f"the content has the digest {digest}")
            return None
        return data

    def _must_read(self, path: str) -> tuple[bytes, str]:
        """Return the content of a file that the format requires, and its name for faults; raises GeneratorError."""
        where = f"{self.name}: {path}"
        try:
            with self.store.open(path) as file:
                data = file.read(_MAX_DOCUMENT + 1)
        except OSError as error:
            raise GeneratorError(
                f"{where} cannot be read: {error.strerror}; hint: check that it is an image"
            ) from error
        if len(data) > _MAX_DOCUMENT:
            raise GeneratorError(f"{where} has more than {_MAX_DOCUMENT:,} bytes")
        self._once(path, where)
        return data, where

    def _read(self, path: str, where: str, rule: str = "blob") -> bytes | None:
        try:
            with self.store.open(path) as file:
                data = file.read(_MAX_DOCUMENT + 1)
        except (OSError, ValueError) as error:
            self.fault(where, rule, f"it cannot be read: {getattr(error, 'strerror', None) or error}")
            return None
        if len(data) > _MAX_DOCUMENT:
            self.fault(where, "document", f"the document has more than {_MAX_DOCUMENT:,} bytes")
            return None
        self.room[0] -= len(data)
        if self.room[0] < 0:
            self.fault(where, "document", f"all documents have more than {MAX_DOCUMENTS:,} bytes together")
            return None
        return data

    def _once(self, path: str, where: str) -> None:
        """Report a file that an archive holds twice, since clients differ in which of the two they read.

        Blobs of a layout need no such check, since their digests are checked.
        """
        if isinstance(self.store, ArchiveStore) and (other := self.store.another(path)):
            self.fault(where, "two-faces", f"the archive has it twice, also as {brief(other)}")

    def _document(self, data: bytes, kind: type[_Document], where: str) -> _Document | None:
        return self._decoded(partial(read, data, kind), where, f"invalid {kind.__name__.lower()}: ")

    def _decoded(
        self, decode: Callable[[], tuple[_Listed, list[tuple[str, str]]]], where: str, prefix: str = ""
    ) -> _Listed | None:
        """Return what *decode* returns, and report its faults; None if it raises ValueError, which is reported too."""
        try:
            document, faults = decode()
        except ValueError as error:
            self.fault(where, "document", f"{prefix}{error}")
            return None
        for rule, found in faults:
            self.fault(where, rule, found)
        return document
