# SPDX-License-Identifier: Apache-2.0
"""Copy the layers of other images to local files, or into the repository of a destination."""

import contextlib
import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..base.errors import GeneratorError
from ..base.settings import timeout
from ..imageread.references import Reference
from ..imageread.registry import Skopeo
from ..imageread.registry import find as find_skopeo
from .model import LayerBlob, Origin
from .progress import Progress, hidden

SECONDS = 300  # for a copy or a push, and a second more for each BYTES of layers
BYTES = 1 << 20
_PIECE = 1 << 20  # bytes
_COPY = ("copy", "--quiet", "--preserve-digests")


def fetch(layers: Iterable[LayerBlob], progress: Progress = hidden) -> None:
    """Fetch each missing layer to its path, and check its digest and size; skip foreign layers.

    Raises GeneratorError and OSError; no incomplete file is left at a path.
    """
    missing = [each for each in layers if not each.foreign and not each.path.exists()]
    if not missing:
        return
    with progress("fetching the base", False) if any(map(elsewhere, missing)) else contextlib.nullcontext():
        for each in missing:
            if (origin := each.origin) is not None and not each.path.exists():
                origin.lookup.fetch(origin.image, {layer.digest for layer in missing})
                _store(each, origin)


def seconds(layers: Iterable[LayerBlob]) -> int:
    """Return the time in which *layers* must be transferred; WINSCRATCH_TIMEOUT overrides the default."""
    return timeout() or SECONDS + sum(layer.size for layer in layers) // BYTES


def elsewhere(layer: LayerBlob) -> bool:
    """Return whether a layer has no local blob: it is foreign, or in a registry and not fetched."""
    remote = layer.origin is not None and layer.origin.lookup.reference is not None
    return layer.foreign or (remote and not layer.path.exists())


def move(
    layers: Iterable[LayerBlob], target: Reference, work: Path, *, plain: Sequence[str] = (), mounting: bool = True
) -> None:
    """Mount or copy layers from registries into the repository of *target*; no tag is written there.

    With *mounting*, layers of the same registry are mounted. Otherwise skopeo copies the base's image, including its
    manifest, by digest. Layers of local images are fetched to their paths. Raises GeneratorError and OSError.
    """
    layers = [each for each in layers if not each.foreign]
    fetch(each for each in layers if each.origin is not None and each.origin.lookup.reference is None)
    moved: dict[str, list[LayerBlob]] = {}
    for each in layers:
        if each.origin is not None and each.origin.lookup.reference is not None:
            moved.setdefault(each.origin.manifest, []).append(each)
    for group in moved.values():
        if not (mounting and _mounted(group, target)) and any(map(elsewhere, group)):
            _copy(group, target, work, plain)


def _mounted(layers: Sequence[LayerBlob], target: Reference) -> bool:
    """Mount *layers* of one image; return whether the repository of *target* has them."""
    lookup = layers[0].origin.lookup if layers[0].origin is not None else None
    if lookup is None or lookup.reference is None or _host(lookup.reference) != _host(target):
        return False
    if lookup.reference.repository == target.repository:
        return True
    from .mount import mount  # slow: imports ssl

    return mount([each.digest for each in layers], lookup.reference, target, secure=lookup.secure)


def _copy(layers: Sequence[LayerBlob], target: Reference, work: Path, plain: Sequence[str]) -> None:
    """Copy the image of *layers* by its digest; skopeo transfers only the blobs that *target* does not have."""
    origin = layers[0].origin
    if origin is None or origin.lookup.reference is None:
        return
    name = f"docker://{target.name}@{origin.manifest}"
    skopeo = Skopeo(find_skopeo(), work, seconds(layers), name, _host(target), plain=plain)
    loose = () if origin.lookup.secure else ("--src-tls-verify=false",)
    source = f"docker://{origin.lookup.reference.name}@{origin.manifest}"
    _, error, _ = skopeo.ask(*_COPY, *loose, source, name, side="dest-")
    if error:
        raise skopeo.error(error)


def _host(reference: Reference) -> str:
    return reference.host or "docker.io"


def _store(layer: LayerBlob, origin: Origin) -> None:
    """Write the layer's blob to its path, or raise GeneratorError if it differs from its descriptor."""
    algorithm = layer.digest.partition(":")[0]
    hashed, size = hashlib.new(algorithm), 0
    temporary = layer.path.with_name(f"{layer.path.name}.part")
    shown = f"{origin.image.name}: layer {layer.digest}"
    try:
        with _opened(origin, shown) as source, temporary.open("xb") as out:
            while data := source.read(_PIECE):
                size += len(data)
                if size > layer.size:
                    break
                hashed.update(data)
                out.write(data)
        if (size, f"{algorithm}:{hashed.hexdigest()}") != (layer.size, layer.digest):
            raise GeneratorError(f"{shown}: the blob is not the one that the manifest lists; hint: copy the base again")
        temporary.rename(layer.path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _opened(origin: Origin, shown: str) -> io.BufferedReader:
    """Open a layer's blob; raises GeneratorError with *shown* as the subject."""
    try:
        return origin.layer.open()
    except (FileNotFoundError, ValueError) as error:
        raise GeneratorError(f"{shown}: the blob is missing; hint: copy the base again") from error
    except OSError as error:
        raise GeneratorError(f"{shown}: the blob cannot be read: {error.strerror or error}") from error
