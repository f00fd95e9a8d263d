# SPDX-License-Identifier: Apache-2.0
"""Look up an image without reading layers: only manifests and configurations are fetched from a registry."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..base.errors import GeneratorError, brief
from ..base.settings import timeout
from ..base.signals import unwinding
from ..oci.blob import sha256
from .blobs import FolderStore
from .documents import CONFIGS, DIGEST, INDEXES, ContentDescriptor, ImagePlatform, Index, Listed, Manifest, read
from .found import Image, Skip, flat_name, is_attestation, passed_over, refuse
from .images import images, split
from .reader import MAX_DOCUMENTS, Reader
from .references import Platform, Reference, reference
from .registry import Skopeo, find, folder_size

_SECONDS = 300  # for each document
_COPY_SECONDS = 3600
_MOST_IMAGES = 100  # images of one name
_MOST_LEVELS = 4  # levels of nested indexes
_SLACK = 1 << 20  # bytes that a copy may write besides layers: documents, and partly filled blocks
_COPIED = "layers"  # the folder that skopeo copies layers to, in the folder of the documents

Wanted = Callable[[Listed], bool]


class Lookup(NamedTuple):
    """The images that *name* refers to: documents are read and checked, layers are not.

    *passed* lists each skipped entry of an index, with the reason. *top* is the index if *name* refers to one, with
    only the wanted entries. The other fields are set for a registry only: *digest* of the index or manifest, the
    parsed *reference*, and *skopeo*, which runs in the folder of the documents. *attestations* has those of BuildKit,
    if they are wanted.
    """

    name: str
    images: list[Image]
    passed: list[tuple[str, str]]
    digest: str = ""
    reference: Reference | None = None
    skopeo: Skopeo | None = None
    top: Index | None = None
    attestations: Sequence[Image] = ()

    @property
    def secure(self) -> bool:
        """Whether TLS is used, if the name is in a registry."""
        return self.skopeo is None or self.skopeo.secure

    def fetch(self, image: Image, digests: Collection[str]) -> None:
        """Fetch layers of *image* from the registry so that Layer.open() works; do nothing for a local image.

        Foreign layers, which have URLs, are never fetched. skopeo checks digests; callers check them again. Raises
        GeneratorError.
        """
        if self.skopeo is None or self.reference is None or image.descriptor is None or image.manifest is None:
            return
        layers = [each for each in image.manifest.layers if not each.urls]
        wanted = {each.digest for each in layers} & {*digests}
        missing = {each for each in wanted if not (self.skopeo.work / flat_name(each)).exists()}
        if not missing:
            return
        copied = self.skopeo.work / _COPIED / "blobs/sha256"
        shutil.rmtree(self.skopeo.work / _COPIED, ignore_errors=True)  # left by an earlier call
        copied.mkdir(parents=True)
        for each in layers:
            if each.digest not in missing:
                (copied / flat_name(each.digest)).touch()  # skopeo does not fetch blobs that the layout has
        size = sum({each.digest: each.size for each in layers if each.digest in missing}.values())
        if size > (free := shutil.disk_usage(self.skopeo.work).free):
            raise GeneratorError(f"{self.name}: its layers have {size:,} bytes, and {free:,} are free in {copied}")
        source = f"docker://{self.reference.name}@{image.descriptor.digest}"
        words = ("--quiet", "--dest-oci-accept-uncompressed-layers", source, f"oci:{_COPIED}:image")
        most = folder_size(self.skopeo.work) + size + _SLACK
        skopeo = self.skopeo._replace(seconds=timeout() or _COPY_SECONDS)
        _, error, _ = skopeo.ask("copy", *words, side="src-", most=most)
        if error:
            raise self.skopeo.error(error)
        for digest in missing:
            (copied / flat_name(digest)).replace(self.skopeo.work / flat_name(digest))


@contextlib.contextmanager
def look_up(
    name: str,
    *,
    wanted: Wanted = lambda _: True,
    plain: Sequence[str] | None = None,
    work: Path | None = None,
    windows: bool = True,
    attested: bool = False,
) -> Iterator[Lookup]:
    """Look up the image *name*, spelled as for images(); in a registry's index, only entries accepted by *wanted*.

    Artifacts are skipped, attestations too unless *attested*, and with *windows* also images of other systems than
    Windows. *plain* lists registries that may be used without TLS, *work* is the directory for temporary files. Raises
    GeneratorError.
    """
    if split(name)[0] == "docker":
        with unwinding(), tempfile.TemporaryDirectory(prefix="winscratch-", dir=work) as folder:
            yield from _in_registry(name, Path(folder), wanted, plain, windows=windows, attested=attested)
        return
    passed: list[tuple[str, str]] = []
    indexes: list[Index] = []
    skip: Skip = lambda *entry: passed.append(entry)  # noqa: E731
    attestations: list[Image] | None = [] if attested else None
    with images(name, refuse, skip, windows=windows, indexes=indexes, attestations=attestations) as found:
        yield Lookup(name, found, passed, top=_top(name, found, indexes), attestations=attestations or ())


def _top(name: str, found: Sequence[Image], indexes: Sequence[Index]) -> Index | None:
    """Return the index that a local *name* refers to, or None for one image; *indexes* starts with index.json."""
    which = split(name)[2]
    if not indexes or (found and found[0].descriptor and which == f"@{found[0].descriptor.digest}"):
        return None
    if len(indexes) == 1 or (not which and len(indexes[0].manifests) > 1):
        return indexes[0] if len(found) > 1 else None
    return indexes[1]


def _in_registry(
    name: str, folder: Path, wanted: Wanted, plain: Sequence[str] | None, *, windows: bool, attested: bool
) -> Iterator[Lookup]:
    """Yield the lookup of *name* in a registry; store its documents in *folder*, in skopeo's ``dir:`` format."""
    rest = split(name)[1].removeprefix("//")
    found = reference(rest, name)
    host = found.host or "docker.io"
    raw, skopeo = Skopeo(find(), folder, timeout() or _SECONDS, f"docker://{rest}", host, plain=plain).top(found)
    digest = sha256(raw)
    passed: list[tuple[str, str]] = []
    indexes: list[Index] = []
    documents = _Documents(skopeo, found.name, wanted, passed, windows, attested)
    if not documents.add(raw):
        yield Lookup(name, [], passed, digest, found, skopeo)
        return
    with contextlib.closing(FolderStore(folder)) as store:
        base = f"docker://{found.name}"
        skip: Skip = lambda *entry: passed.append(entry)  # noqa: E731
        kept: list[Image] | None = [] if attested else None
        reader = Reader(name, base, store, refuse, True, skip, [MAX_DOCUMENTS], windows, indexes, kept)
        listed = reader.fetched("")
        yield Lookup(name, listed, passed, digest, found, skopeo, indexes[0] if indexes else None, kept or ())


class _Documents(NamedTuple):
    """Fetches the documents of images of the repository *name* to the folder in which *skopeo* runs."""

    skopeo: Skopeo
    name: str
    wanted: Wanted
    passed: list[tuple[str, str]]
    windows: bool
    attested: bool

    def add(self, raw: bytes) -> bool:
        """Store a manifest, or an index reduced to wanted images, and its documents; return False if none is wanted."""
        chosen: Sequence[Listed] | None = None
        index = self._index(raw)
        if index is None:
            self._config(raw)
        else:
            chosen = list(self._chosen(index, 1))
            if len(chosen) > _MOST_IMAGES * (1 + self.attested):
                raise GeneratorError(f"{self.skopeo.shown}: its index lists more than {_MOST_IMAGES} images")
            for each in chosen:
                data = self._document(each)
                (self.skopeo.work / f"{flat_name(each.digest)}.manifest.json").write_bytes(data)
                if self._index(data) is not None:
                    raise GeneratorError(f"{self.skopeo.shown}: {each.digest}: an index, listed as a manifest")
                self._config(data, attestation=is_attestation(each))
            kept = Index(manifests=chosen, schema_version=2, media_type=INDEXES[0], annotations=index.annotations)
            raw = msgspec.json.encode(kept)
        (self.skopeo.work / "manifest.json").write_bytes(raw)
        return chosen is None or bool(chosen)

    def _chosen(self, index: Index, level: int) -> Iterator[Listed]:
        """Yield the wanted entries of an index and of its nested indexes."""
        for each in index.manifests:
            if not DIGEST.fullmatch(each.digest):
                raise GeneratorError(f"{self.skopeo.shown}: {brief(each.digest)} is not a digest")
            where = f"docker://{self.name}@{each.digest}"
            if self.attested and is_attestation(each):
                yield each
            elif why := passed_over(each, windows=self.windows):
                self.passed.append((where, why))
            elif each.media_type in INDEXES:
                inner = self._index(self._document(each)) if level < _MOST_LEVELS else None
                if inner is None:
                    raise GeneratorError(f"{self.skopeo.shown}: its index leads to an invalid index")
                yield from self._chosen(inner, level + 1)
            elif self.wanted(each):
                yield each
            else:
                said = each.platform or ImagePlatform()
                self.passed.append((where, str(Platform(said.architecture, said.os_version or ""))))

    def _index(self, raw: bytes) -> Index | None:
        """Decode *raw* as an index, None if it is a manifest; raises GeneratorError if it is damaged or of schema 1."""
        index, manifest = self.skopeo.parsed(raw)
        if manifest.schema_version == 1:
            raise GeneratorError(f"{self.skopeo.shown}: a manifest of schema 1; hint: push the image anew")
        return index

    def _config(self, raw: bytes, *, attestation: bool = False) -> None:
        """Fetch the configuration of the manifest *raw*, unless it is that of an artifact but an attestation."""
        manifest, _ = read(raw, Manifest)
        config = manifest.config
        if config.media_type not in CONFIGS and not attestation:
            return
        if not DIGEST.fullmatch(config.digest):
            raise GeneratorError(f"{self.skopeo.shown}: {brief(config.digest)} is not a digest")
        data = self.skopeo.document(f"{self.name}@{sha256(raw)}", "--config")
        (self.skopeo.work / flat_name(config.digest)).write_bytes(data)

    def _document(self, listed: ContentDescriptor) -> bytes:
        data = self.skopeo.document(f"{self.name}@{listed.digest}")
        if listed.digest.startswith("sha256:") and sha256(data) != listed.digest:
            raise self.skopeo.error(f"the registry returns {sha256(data)} for {listed.digest}")
        return data
