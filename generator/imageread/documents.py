# SPDX-License-Identifier: Apache-2.0
"""The JSON documents of an image, as far as something here asks for what they say.

Fields are named as in the OCI image specification 1.1 and Docker's image manifest schema 2, which has the same ones; a
field that is absent has its default, and null, which Go writes for empty lists, counts as absent.
"""

import json
import re
from typing import Any, Final

import msgspec

from ..base.errors import brief

OCI: Final = "application/vnd.oci.image."
DOCKER: Final = "application/vnd.docker."
INDEXES: Final = (f"{OCI}index.v1+json", f"{DOCKER}distribution.manifest.list.v2+json")
MANIFESTS: Final = (f"{OCI}manifest.v1+json", f"{DOCKER}distribution.manifest.v2+json")
CONFIGS: Final = (f"{OCI}config.v1+json", f"{DOCKER}container.image.v1+json")
LAYERS: Final = {  # and how the tar is compressed
    f"{OCI}layer.v1.tar": "",
    f"{OCI}layer.v1.tar+gzip": "gzip",
    f"{OCI}layer.v1.tar+zstd": "zstd",
    f"{OCI}layer.nondistributable.v1.tar": "",
    f"{OCI}layer.nondistributable.v1.tar+gzip": "gzip",
    f"{OCI}layer.nondistributable.v1.tar+zstd": "zstd",
    f"{DOCKER}image.rootfs.diff.tar": "",
    f"{DOCKER}image.rootfs.diff.tar.gzip": "gzip",
    f"{DOCKER}image.rootfs.foreign.diff.tar": "",
    f"{DOCKER}image.rootfs.foreign.diff.tar.gzip": "gzip",
}
REF_NAME: Final = "org.opencontainers.image.ref.name"
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")  # those that clients know


class Platform(msgspec.Struct, frozen=True, rename={"os_version": "os.version"}):
    """Which hosts an image is for."""

    architecture: str = ""
    os: str = ""
    os_version: str | None = None


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """What points to a blob, and tells its size in bytes."""

    digest: str
    size: int
    media_type: str | None = None
    platform: Platform | None = None
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True, rename="camel"):
    """A list of manifests: of an image's platforms, or of what a layout holds."""

    manifests: list[Descriptor]
    schema_version: int | None = None
    media_type: str | None = None


class Layout(msgspec.Struct, frozen=True, rename={"version": "imageLayoutVersion"}):
    """The file oci-layout, which makes a folder or an archive a layout."""

    version: str


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """An image of one platform: its configuration and its layers, the lowest first."""

    config: Descriptor
    layers: list[Descriptor]
    schema_version: int | None = None
    media_type: str | None = None


class Settings(msgspec.Struct, frozen=True, rename="pascal"):
    """How an image's program is started."""

    user: str | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    env: list[str] | None = None
    working_dir: str | None = None
    labels: dict[str, str] | None = None


class RootFS(msgspec.Struct, frozen=True):
    """The digests of the layers' tars, uncompressed, the lowest first."""

    diff_ids: list[str] | None = None
    type: str | None = None


class History(msgspec.Struct, frozen=True):
    """How a layer, or a setting, came about."""

    created_by: str | None = None
    empty_layer: bool | None = None


class Config(msgspec.Struct, frozen=True, rename={"os_version": "os.version"}):
    """The configuration of an image."""

    architecture: str | None = None
    os: str | None = None
    os_version: str | None = None
    rootfs: RootFS | None = None
    config: Settings | None = None
    history: list[History] | None = None


class Saved(msgspec.Struct, frozen=True, rename="pascal"):
    """An image in the manifest.json of an archive that `docker load` takes; texts are paths in the archive."""

    config: str
    layers: list[str]
    repo_tags: list[str] | None = None


_MAPS: Final = frozenset({"annotations", "labels", "exposedports", "volumes"})  # whose keys are not the format's
_OTHERS: Final[dict[type[msgspec.Struct], frozenset[str]]] = {  # by which containerd takes one kind for the other
    Manifest: frozenset({"manifests", "fslayers"}),
    Index: frozenset({"config", "layers", "fslayers"}),
}
_PARTS: Final[dict[type[msgspec.Struct], tuple[type[msgspec.Struct], ...]]] = {
    Manifest: (Manifest, Descriptor, Platform),
    Index: (Index, Descriptor, Platform),
    Config: (Config, RootFS, Settings, History),
}


_MOST_FOUND: Final = 100  # after which a document is bad enough


def misread(data: bytes, kind: type[msgspec.Struct]) -> list[tuple[str, str]]:
    """Return where Go's encoding/json reads a document otherwise than it was read here: rules, and what was found.

    Go takes a key for a field's whatever its case, and of several the last. Raises ValueError where *data* is no JSON,
    and RecursionError where it is too deep.
    """
    known = {field.encode_name for part in _PARTS.get(kind, (kind,)) for field in msgspec.structs.fields(part)}
    folded = {name.casefold(): name for name in known}
    top = json.loads(data.decode("utf-8", "replace"), object_pairs_hook=tuple, parse_int=lambda _: 0)
    found: list[tuple[str, str]] = []
    todo: list[tuple[Any, bool]] = [(top, False)]
    while todo:
        here, is_map = todo.pop()
        if isinstance(here, tuple):  # an object, as its pairs
            seen: set[str] = set()
            for key, value in here:
                one = key if is_map else key.casefold()
                if one in seen:
                    found.append(("keys", f"{brief(key)} is there twice, in one case or another"))
                elif not is_map and folded.get(one, key) != key:
                    found.append(("keys", f"{brief(key)} stands where {folded[one]} is meant"))
                seen.add(one)
                if len(found) >= _MOST_FOUND:
                    return found
                todo.append((value, not is_map and one in _MAPS))
        elif isinstance(here, list):
            todo += [(each, False) for each in here]
    keys = {key.casefold() for key, _ in top} if isinstance(top, tuple) else set()
    if other := sorted(keys & _OTHERS.get(kind, frozenset())):
        found.append(("document", f"it has {other[0]}, which no {kind.__name__.lower()} has"))
    return found
