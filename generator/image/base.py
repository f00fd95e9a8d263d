# SPDX-License-Identifier: Apache-2.0
"""Find the base of an image for each platform: its configuration, its layers, and where their blobs are."""

import contextlib
import functools
import io
import json
import re
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..base.errors import GeneratorError, brief, shorten
from ..imageread.bounded import BombError, HashingReader, most_unpacked
from ..imageread.documents import DIGEST, DOCKER, LAYERS, OCI, ContentDescriptor, Listed
from ..imageread.found import Image, Layer, diff_ids
from ..imageread.images import unpack
from ..imageread.lookup import Lookup, look_up
from ..imageread.platforms import architecture
from ..imageread.references import Platform
from ..imageread.untar import ByteStream
from ..runtime.model import Base as Kind
from . import inherit
from .compress import LEVELS, MEMBER, Chunk, compressed, write_blob
from .model import GZIP, LayerBlob, Origin
from .workers import in_threads

NAME, DIGEST_OF = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
_HOST_PROCESS: Final = "windows-host-process-containers-base-image"  # github.com/microsoft; without Windows
_DOCKERS: Final = {  # OCI's media type for each of Docker's layer types
    f"{DOCKER}image.rootfs.diff.tar": f"{OCI}layer.v1.tar",
    f"{DOCKER}image.rootfs.diff.tar.gzip": f"{OCI}layer.v1.tar+gzip",
    f"{DOCKER}image.rootfs.foreign.diff.tar": f"{OCI}layer.nondistributable.v1.tar",
    f"{DOCKER}image.rootfs.foreign.diff.tar.gzip": f"{OCI}layer.nondistributable.v1.tar+gzip",
}
_TEXTS: Final = ("Env", "Entrypoint", "Cmd", "OnBuild", "Shell")  # lists in a configuration's settings

Json = dict[str, Any]


class NoImageError(GeneratorError):
    """A base has no image for the platform."""


class Base(NamedTuple):
    """The base of an image for one platform: *image*, which *lookup* found.

    *platform* has the full version of *image*. *kind* selects the rules for programs, by whether they run on the
    image's own Windows. *config* is the configuration with all its fields, unknown ones included, *layers* have OCI's
    media types, and *annotations* name the base.
    """

    lookup: Lookup
    image: Image
    platform: Platform
    kind: Kind
    config: Json
    layers: tuple[LayerBlob, ...]
    annotations: dict[str, str]


def resolve(
    name: str,
    platforms: Sequence[Platform],
    stack: contextlib.ExitStack,
    work: Path,
    *,
    plain: Sequence[str] | None = None,
    shown: str = "",
    hint: str = "--platform with one of",
) -> list[Base]:
    """Return the base *name* for each of *platforms*; if *platforms* is empty, for the only platform that it has.

    From an index, a full version selects that version, a build its newest revision. The lookup stays open until *stack*
    is closed, *work* is a private directory. *plain* lists registries that may be used without TLS, *shown* is the
    subject of errors, and *hint* starts their hints, before the list of platforms. Raises GeneratorError.
    """
    shown = shown or f"--base {name}"
    lookup = stack.enter_context(look_up(name, wanted=lambda each: _may_fit(each, platforms), plain=plain, work=work))
    candidates = [(image, _platform(image, shown)) for image in _different(lookup.images)]
    if not candidates:
        raise _nothing(lookup, platforms, shown)
    folder = work / "base-layers"
    folder.mkdir(exist_ok=True)
    wanted: Sequence[Platform | None] = platforms or [None]
    chosen = [_choose(shown, candidates, each, hint) for each in wanted]
    if len({image.name for image, _ in chosen}) < len(chosen):
        raise GeneratorError(f"{shown}: two platforms lead to one image; hint: leave out one --platform")
    return [_base(lookup, image, platform, folder, shown) for image, platform in chosen]


def _choose(
    shown: str, candidates: Sequence[tuple[Image, Platform]], wanted: Platform | None, hint: str
) -> tuple[Image, Platform]:
    """Return the image of *candidates* for the platform *wanted*; raises GeneratorError unless exactly one fits."""
    fitting = [each for each in candidates if wanted is None or _fits(wanted, each[1])]
    if wanted is not None and wanted.version and fitting:
        newest = max(_numbers(platform.version) for _, platform in fitting)
        fitting = [each for each in fitting if _numbers(each[1].version) == newest]
    if len(fitting) == 1:
        return fitting[0]
    listed = shorten(", ".join(sorted(str(platform) for _, platform in candidates)), 300)
    if not fitting:
        raise NoImageError(f"{shown}: no image for {wanted}; hint: {hint} {listed}")
    several = f"several images{f' for {wanted}' if wanted else ''}"
    if wanted in [platform for _, platform in fitting]:  # which the list has, too
        hint, listed = "give one by its digest:", shorten(", ".join(image.name for image, _ in fitting), 400)
    raise GeneratorError(f"{shown}: {several}; hint: {hint} {listed}")


def _fits(wanted: Platform, platform: Platform) -> bool:
    """Return whether *platform* has the architecture, the build or version, and the features that are *wanted*."""
    same = platform.architecture == wanted.architecture and set(wanted.features) <= set(platform.features)
    return same and (not wanted.version or f"{platform.version}.".startswith(f"{wanted.version}."))


def _may_fit(listed: Listed, platforms: Sequence[Platform]) -> bool:
    """Return whether an index's entry may match one of *platforms*; an entry without a version may match any."""
    said = listed.platform
    if said is None or not platforms:
        return True
    version = said.os_version or ""
    named = Platform(architecture(said.architecture), version)
    return any(
        named.architecture in {"", each.architecture}
        and (not version or _fits(Platform(named.architecture, each.version), named))
        for each in platforms
    )


def _different(images: Sequence[Image]) -> list[Image]:
    """Return *images* without duplicates, since an index may list an image twice."""
    return list({image.raw: image for image in images}.values())


def _platform(image: Image, shown: str) -> Platform:
    """Return the platform in an image's configuration; if it has no version, take the index's."""
    config = image.config
    if config is None or not config.os:
        raise GeneratorError(f"{shown}: its configuration has no operating system; hint: give an image")
    version = config.os_version or (image.platform and image.platform.os_version) or ""
    return Platform(architecture(config.architecture), version, config.os_features)


def _nothing(lookup: Lookup, platforms: Sequence[Platform], shown: str) -> GeneratorError:
    """Return the error for a base that has no image for *platforms*, or none for Windows if they are empty."""
    wanted = ", ".join(map(str, platforms)) or "Windows"
    there = ", ".join(dict.fromkeys(why for _, why in lookup.passed))
    hint = "; hint: --platform with one of these" if "windows" in there else ""
    found = f", but {shorten(there, 300)}" if there else ""
    return NoImageError(f"{shown}: no image for {wanted}{found}{hint}")


def _base(lookup: Lookup, image: Image, platform: Platform, folder: Path, shown: str) -> Base:
    layers = layers_of(lookup, image, folder, shown)
    config = _config(shown, image)
    if platform.version:
        config.setdefault("os.version", platform.version)
    annotations = {}
    if lookup.reference is not None:
        found = lookup.reference
        plain_name = found.full.rpartition(":")[0] if found.digest else found.full
        annotations[NAME] = f"{plain_name}@{found.digest}" if found.digest else plain_name
    if digest := lookup.digest or (image.descriptor.digest if image.descriptor else ""):
        annotations[DIGEST_OF] = digest
    return Base(lookup, image, platform, _kind(lookup, platform), config, layers, annotations)


def _config(shown: str, image: Image) -> Json:
    """Return the configuration of *image* with every field; raises GeneratorError if no image can inherit it."""
    config = config_object(image.raw[1], shown)
    try:
        inherit.settings(config.get("config") or {}, {})
        inherit.configuration(config, {}, (), "")
    except GeneratorError as error:
        raise GeneratorError(f"{shown}: {error}") from error
    return config


def config_object(data: bytes, shown: str) -> Json:
    """Return a configuration that was decoded before, with every field; raises GeneratorError.

    A null in a list or map of texts is an empty text, and one in the history an empty step, as Go decodes them.
    """
    found = json_object(data, shown)
    settings = found.get("config") or {}
    for texts in (found.get("os.features"), *(settings.get(key) for key in _TEXTS)):
        if isinstance(texts, list):
            texts[:] = ["" if each is None else each for each in texts]
    for name, value in (settings.get("Labels") or {}).items():
        settings["Labels"][name] = "" if value is None else value
    if history := found.get("history"):
        found["history"] = [each or {} for each in history]
    return found


def json_object(data: bytes, shown: str) -> Json:
    """Decode a document without losing unknown fields; raises GeneratorError if it is not a valid JSON object."""
    try:
        found = json.loads(data)
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise GeneratorError(f"{shown}: invalid document: {error}") from error
    if not isinstance(found, dict):
        raise GeneratorError(f"{shown}: invalid document: not an object")
    return found


def layers_of(lookup: Lookup, image: Image, folder: Path, shown: str) -> tuple[LayerBlob, ...]:
    """Return the layers of an image with OCI's media types, each with its origin.

    transfer.fetch() writes their blobs to *folder*. Raises GeneratorError with *shown* as the subject.
    """
    layer_ids(image, shown)
    return tuple(_layer(Origin(lookup, image, layer), folder, shown) for layer in image.layers)


def layer_ids(image: Image, shown: str) -> list[str]:
    """Return the diff ID of each layer; raises GeneratorError if one is missing or invalid."""
    ids = diff_ids(image.config)
    if len(ids) != len(image.layers) or not ids or not all(map(DIGEST.fullmatch, ids)):
        raise GeneratorError(f"{shown}: its configuration does not have a diff ID for each layer")
    return ids


def _layer(origin: Origin, folder: Path, shown: str) -> LayerBlob:
    descriptor = origin.layer.descriptor
    if descriptor is None:
        return pack(origin.layer, folder, shown)
    if descriptor.media_type not in LAYERS:
        raise GeneratorError(f"{shown}: a layer of the unknown type {brief(descriptor.media_type)}")
    kind = _DOCKERS.get(descriptor.media_type, descriptor.media_type)
    path = blob_path(folder, descriptor.digest)
    return LayerBlob(path, descriptor.digest, origin.layer.diff_id, descriptor.size, kind, origin, _fields(descriptor))


def blob_path(folder: Path, digest: str) -> Path:
    """Return the path in *folder* of the blob with a digest or diff ID."""
    return folder / re.sub(r"\W", "-", digest)


def pack(layer: Layer, folder: Path, shown: str) -> LayerBlob:
    """Return the blob of a layer of a `docker save` archive, in *folder*; raises GeneratorError.

    A layer that is stored with gzip stays as it is, others are compressed anew.
    """
    path = blob_path(folder, layer.diff_id)
    path.unlink(missing_ok=True)  # a layer may occur twice
    try:
        with layer.open() as file:
            compression, tar = unpack(file)
            blob = _kept(file, path) if compression == "gzip" else _compressed(tar, path)
    except (OSError, EOFError, zlib.error, BombError) as error:
        raise GeneratorError(f"{shown}: layer {layer.name} cannot be read: {error or 'it is too large'}") from error
    if blob.diff_id != layer.diff_id:
        raise GeneratorError(f"{shown}: layer {layer.name} is {blob.diff_id}, not {layer.diff_id}")
    return blob


def _kept(file: io.BufferedReader, path: Path) -> LayerBlob:
    """Copy a gzip blob to *path*, and return it."""
    file.seek(0)
    raw = HashingReader(file)
    with path.open("xb") as out:
        shutil.copyfileobj(io.BufferedReader(raw, MEMBER), out, MEMBER)
    with path.open("rb") as blob:
        tar = HashingReader(unpack(blob)[1])
        tar.most = most_unpacked(raw.size)
        stream = io.BufferedReader(tar, MEMBER)
        while stream.read(MEMBER):
            pass
    return LayerBlob(path, raw.digest, tar.digest, raw.size, GZIP)


def _compressed(tar: ByteStream, path: Path) -> LayerBlob:
    """Compress a tar into a new blob at *path*, and return it."""

    def chunk(piece: bytes, _: memoryview) -> Chunk:
        return Chunk(len(piece), *compressed(memoryview(piece), LEVELS["default"], None), piece)

    pieces = iter(functools.partial(tar.read, MEMBER), b"")
    return write_blob(path, in_threads(chunk, pieces), LEVELS["default"])[0]


def _fields(descriptor: ContentDescriptor) -> Json:
    found = {"urls": descriptor.urls, "annotations": descriptor.annotations}
    return {key: value for key, value in found.items() if value}


def _kind(lookup: Lookup, platform: Platform) -> Kind:
    """Return ``windows`` if programs run on the image's own Windows, whose version is given, else ``hostprocess``."""
    repository = lookup.reference.name if lookup.reference is not None else ""
    is_host_process = not platform.version or repository.rpartition("/")[2] == _HOST_PROCESS
    return "hostprocess" if is_host_process else "windows"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
