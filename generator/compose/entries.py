# SPDX-License-Identifier: Apache-2.0
"""Make the index of images for any systems, without I/O."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ..base.errors import GeneratorError, shorten
from ..image.config import INDEX, Document, document
from ..imageread.documents import REF_NAME, ContentDescriptor, ImagePlatform, ListedPlatform
from ..imageread.platforms import normal, spelled

Json = dict[str, Any]
_NAMES: Final = (REF_NAME, "io.containerd.image.name")  # annotations of a layout's index


class Entry(NamedTuple):
    """An image in an index: *name* leads to it alone, *descriptor* is without platform and annotations of a layout."""

    name: str
    descriptor: Json
    platform: ImagePlatform


def descriptor_of(listed: ContentDescriptor) -> Json:
    """Return the descriptor of an image for another index, without its names in a layout."""
    found: Json = {"mediaType": listed.media_type, "digest": listed.digest, "size": listed.size}
    annotations = {key: value for key, value in (listed.annotations or {}).items() if key not in _NAMES}
    others = {"annotations": annotations, "urls": listed.urls, "artifactType": listed.artifact_type}
    if isinstance(listed.platform, ListedPlatform) and listed.platform.features:
        others["platform"] = {"features": list(listed.platform.features)}
    return found | {key: value for key, value in others.items() if value}


def index(entries: Sequence[Entry], annotations: Mapping[str, str], attestations: Sequence[Json] = ()) -> Document:
    """Return the index of *entries*, in their order, then *attestations*; an image given twice is listed once.

    Raises GeneratorError for two images for one platform.
    """
    manifests = []
    seen: dict[ImagePlatform, Entry] = {}
    for entry in entries:
        other = seen.setdefault(normal(entry.platform), entry)
        if other is not entry:
            if other.descriptor["digest"] == entry.descriptor["digest"]:
                continue
            raise GeneratorError(
                f"{shorten(entry.name, 200)}: for {spelled(entry.platform)}, as {shorten(other.name, 200)}; "
                "hint: leave one out, or give its platform: IMAGE@OS/ARCH[:VERSION]"
            )
        platform = platform_object(entry.platform) | entry.descriptor.get("platform", {})
        manifests.append(entry.descriptor | {"platform": platform})
    content: Json = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*manifests, *attestations]}
    return document(content | ({"annotations": dict(annotations)} if annotations else {}), INDEX)


def platform_object(platform: ImagePlatform) -> Json:
    """Return *platform* as an entry of an index has it."""
    found: Json = {"architecture": platform.architecture, "os": platform.os, "os.version": platform.os_version}
    found |= {"os.features": list(platform.os_features), "variant": platform.variant}
    return {key: value for key, value in found.items() if value}
