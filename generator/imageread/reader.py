# SPDX-License-Identifier: Apache-2.0
"""Reader of an image's documents: from a layout's index, a folder of skopeo's or an archive to the images in it."""

import hashlib
import posixpath
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from ..base.errors import GeneratorError, brief, shorten
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
    is_foreign,
    not_an_image,
    passed_over,
)

_MAX_DOCUMENT: Final = 1 << 22  # bytes, as registries have it for manifests
MAX_DOCUMENTS: Final = 1 << 26  # bytes of all documents that a name leads to
_MAX_IMAGES: Final = 100  # that a layout's index, and the indexes in it, may lead to
_MAX_LAYERS: Final = 500  # of an image; Docker takes 127
_MAX_LEVELS: Final = 4  # of indexes in indexes
_VERSION: Final = "1.0.0"  # of a layout; there is no other
_BLOBS: Final = "blobs/sha256/"

_Listed = TypeVar("_Listed")
_Document = TypeVar("_Document", bound=msgspec.Struct)


class Reader(NamedTuple):
    """Reads documents from *store*; *flat* if its files have no folders, as in ``dir:``.

    *name* is what the user called it, *base* that without a tag or digest. With *skip*, images for other systems than
    Windows are passed over. *room* holds the bytes of documents that are still read.
    """

    name: str
    base: str
    store: Store
    fault: Fault
    flat: bool
    skip: Skip | None
    room: list[int]

    def listed(self, reference: str) -> list[Image]:
        """Return the images of a layout, or those called *reference*, if that is not empty."""
        everything = self._index(self._must_read("index.json"), f"{self.name}: index.json")
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
            wanted = [
                each for each in wanted if reference in {(each.annotations or {}).get(REF_NAME), f"@{each.digest}"}
            ]
            if not wanted and reference.startswith("@"):
                passed: list[tuple[str, str]] = []
                own = self._replace(skip=self.skip and (lambda *told: passed.append(told)))
                within = own._gathered(everything, reference[1:])
                for where, why in passed:
                    self._skip(where, why)
                if within or passed:
                    return within
            if not wanted:
                names = sorted({(each.annotations or {}).get(REF_NAME, "") for each in everything} - {""})
                raise GeneratorError(f"{self.name}: the layout has no {brief(reference)}; {_listed(names)}")
        if not wanted:
            raise GeneratorError(f"{self.name}: the layout has no image; make one, or name another")
        if isinstance(self.store, ArchiveStore):
            self._other_face(everything, None)
        return self._gathered(wanted)

    def fetched(self, reference: str) -> list[Image]:
        """Return the images that a folder of skopeo's has, or the one that has the digest behind ``@``."""
        data = self._must_read("manifest.json")
        where = f"{self.name}: manifest.json"
        quiet = self._replace(fault=_ignore)
        kind = quiet._document(data, Manifest, where)
        index = quiet._document(data, Index, where)
        if kind is not None and not (index is not None and index.manifests):
            image = self._image(ContentDescriptor(sha256(data), len(data), kind.media_type), data)
            return [] if image is None else [image]
        return self._gathered(self._index(data, where) or [], reference[1:])

    def saved(self, reference: str) -> list[Image]:
        """Return the images of an archive for `docker load`, or the one that has the tag *reference*."""
        data = self._must_read("manifest.json")
        where = f"{self.name}: manifest.json"
        said = self._entries(data, where)
        if said is None:
            return []
        self._other_face(None, said)
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
            image = self._saved_image(each, entry, where)
            if image is not None:
                found.append(image)
        return found

    def _entries(self, data: bytes, where: str) -> list[tuple[Saved, bytes]] | None:
        """Return the images that a manifest.json for `docker load` lists, or None if it is damaged."""
        try:
            said, strange = read_saved(data)
        except ValueError as error:
            self.fault(where, "document", str(error))
            return None
        for rule, told in strange:
            self.fault(where, rule, told)
        return said

    def _saved_image(self, saved: Saved, entry: bytes, where: str) -> Image | None:
        """Return an image of an archive for `docker load`, or None for one that is passed over."""
        faults: list[tuple[str, str, str]] = []
        own = self._replace(fault=lambda *told: faults.append(told))
        raw = own._read(saved.config, f"{self.name}: {saved.config}")
        own._once(saved.config, f"{self.name}: {saved.config}")
        config = own._document(raw, Config, f"{self.name}: {saved.config}") if raw is not None else None
        if config is not None and self.skip and is_foreign(config.os):
            self._skip(f"{self.name}: {shorten(saved.config)}", called(config))
            return None
        ids = diff_ids(config)
        layers = []
        for at, path in enumerate(own._few(saved.layers, where)):
            own._once(path, f"{self.name}: layers[{at}]")
            layers.append(Layer(path, None, ids[at] if at < len(ids) else "", self.store, path))
        for told in faults:
            self.fault(*told)
        return Image(self.name, None, None, None, config, tuple(layers), (entry, raw or b""))

    def _other_face(self, listed: Sequence[ContentDescriptor] | None, said: list[tuple[Saved, bytes]] | None) -> None:
        """Add a fault if an archive's index.json and its manifest.json for `docker load` lead to different images.

        Docker takes either file, by its version; None is for the one that is still to be read. Source:
        github.com/containerd/containerd core/images/archive/importer.go.
        """
        if not all(self.store.has(each) for each in ("oci-layout", "index.json", "manifest.json")):
            return
        quiet = self._replace(fault=_ignore, skip=None)
        if listed is None:
            listed = quiet._index(self._must_read("index.json"), "") or []
        where = f"{self.name}: manifest.json"
        if said is None:
            said = self._entries(self._must_read("manifest.json"), where) or []
        known: dict[str, list[list[str]]] = {}
        for image in quiet._gathered(listed):
            if image.manifest is not None:
                layers = [each.digest for each in image.manifest.layers]
                known.setdefault(image.manifest.config.digest, []).append(layers)
        for at, (entry, _) in enumerate(said[:_MAX_IMAGES]):
            raw = quiet._read(entry.config, "")
            ways = known.get(sha256(raw)) if raw is not None else None
            layers = [f"sha256:{each.removeprefix(_BLOBS)}" for each in entry.layers]
            if ways is None:
                self.fault(where, "two-faces", f"[{at}] is an image that index.json does not lead to")
            elif all(each.startswith(_BLOBS) for each in entry.layers) and layers not in ways:
                self.fault(where, "two-faces", f"[{at}] has other layers than index.json's image")

    def _gathered(self, descriptors: Sequence[ContentDescriptor], only: str = "") -> list[Image]:
        """Return the images that *descriptors* lead to, through indexes or not; or *only* that digest's.

        Each is there once for each size, type and platform that is said of it.
        """
        found: list[Image] = []
        seen: set[tuple[str, int, str | None, ImagePlatform | None]] = set()
        read = 0
        todo = [(each, 1) for each in reversed(descriptors)]
        while todo:
            descriptor, level = todo.pop()
            said = (descriptor.digest, descriptor.size, descriptor.media_type, descriptor.platform)
            if said in seen or (only and descriptor.digest != only and descriptor.media_type not in INDEXES):
                continue
            seen.add(said)
            where = self._called(descriptor.digest)
            if why := passed_over(descriptor, windows=self.skip is not None):
                self._skip(where, why)
                continue
            read += 1
            if read > _MAX_IMAGES or level > _MAX_LEVELS:
                self.fault(where, "index", "the indexes lead to more than any image needs")
                break
            data = self._blob(descriptor, where, ".manifest.json")
            if data is None:
                continue
            if descriptor.media_type in INDEXES:
                todo += [(each, level + 1) for each in reversed(self._index(data, where) or [])]
            elif (image := self._image(descriptor, data)) is not None:
                found.append(image)
        return found

    def _index(self, data: bytes, where: str) -> Sequence[ContentDescriptor] | None:
        """Return what an index lists, or None where it is damaged."""
        index = self._document(data, Index, where)
        if index is None:
            return None
        if index.schema_version != 2:
            self.fault(where, "schema", f"the schema version is {index.schema_version}")
        if index.media_type not in {None, "", *INDEXES}:
            self.fault(where, "media-type", f"that of an index is {brief(index.media_type)}")
        return index.manifests

    def _image(self, descriptor: ContentDescriptor, data: bytes) -> Image | None:
        """Return the image that *data*, its manifest, describes; None for one that is passed over."""
        platform = descriptor.platform
        where = self._called(descriptor.digest)
        manifest = self._document(data, Manifest, where)
        if manifest is None:
            return Image(where, descriptor, platform, None, None, (), (data, b""))
        faults: list[tuple[str, str, str]] = []
        own = self._replace(fault=lambda *told: faults.append(told))
        raw = own._blob(manifest.config, f"{where}: config")
        config = own._document(raw, Config, f"{where}: config") if raw is not None else None
        why = not_an_image(descriptor, manifest, config)
        if not why and self.skip and config is not None and not claims_windows(platform) and is_foreign(config.os):
            why = called(config)
        if why:
            self._skip(where, why)
            return None
        ids = diff_ids(config)
        layers = []
        for at, each in enumerate(own._few(manifest.layers, where)):
            path = own._path(each.digest, f"{where}: layers[{at}]")
            layers.append(Layer(each.digest, each, ids[at] if at < len(ids) else "", self.store, path))
        for told in faults:
            self.fault(*told)
        return Image(where, descriptor, platform, manifest, config, tuple(layers), (data, raw or b""))

    def _skip(self, where: str, why: str) -> None:
        if self.skip:
            self.skip(where, why)

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

    def _blob(self, descriptor: ContentDescriptor, where: str, ending: str = "") -> bytes | None:
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
        self._once(path, f"{self.name}: {path}")
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
        self.room[0] -= len(data)
        if self.room[0] < 0:
            self.fault(where, "document", f"all documents have more than {MAX_DOCUMENTS:,} bytes together")
            return None
        return data

    def _once(self, path: str, where: str) -> None:
        """Add a fault if an archive has a file more than once, for clients differ on which one they read.

        Not for blobs of a layout, whose content is what their name says.
        """
        other = self.store.another(path)
        if other:
            self.fault(where, "two-faces", f"the archive has it twice, as {brief(other)} too")

    def _document(self, data: bytes, kind: type[_Document], where: str) -> _Document | None:
        try:
            document, strange = read(data, kind)
        except ValueError as error:
            self.fault(where, "document", f"no {kind.__name__.lower()}: {error}")
            return None
        for rule, told in strange:
            self.fault(where, rule, told)
        return document


def _ignore(_where: str, _rule: str, _found: str) -> None:
    """Pass over a fault that is reported elsewhere, or is nobody's."""


def _listed(names: list[str]) -> str:
    return f"its images are called {shorten(', '.join(names), 200)}" if names else "its images have no names"
