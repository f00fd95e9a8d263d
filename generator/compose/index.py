# SPDX-License-Identifier: Apache-2.0
"""The command `index`: make one index of images that exist, for any systems, and write it to its destinations."""

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ..base import console
from ..base.console import Say
from ..base.errors import EXIT_OK, GeneratorError, shorten
from ..image import places
from ..image.assemble import BuiltImage, Variant
from ..image.config import INDEX, Document, document
from ..image.model import LayerBlob
from ..image.options import pairs
from ..image.places import Hooks, Job
from ..image.progress import shown
from ..imageread.documents import ImagePlatform
from ..imageread.lookup import Lookup, look_up
from ..imageread.platforms import given, normal, spelled
from .attestations import Attestation, kept
from .opened import Opened, build, descriptor_of, opened_images, packed

Json = dict[str, Any]
_MOST: Final = 500  # images of an index


class IndexOptions(NamedTuple):
    """The options of ``index``: names of images with ``@PLATFORM`` if it is given, and annotations of the index.

    *force* allows overwriting archives, *plain_http* holds registries that may lack TLS.
    """

    image: Sequence[str]
    to: Sequence[str]
    annotation: Mapping[str, str]
    force: bool
    plain_http: Sequence[str]


class Entry(NamedTuple):
    """An image in an index: *name* leads to it alone, *descriptor* is without platform and annotations of a layout.

    *made* has its configuration and its manifest.
    """

    name: str
    descriptor: Json
    platform: ImagePlatform
    layers: tuple[LayerBlob, ...]
    made: tuple[Document, Document]


def index(options: dict[str, Any], *, say: Say = console.say, note: Say = console.note) -> int:
    """Make the index of *options*, write it to each destination, and print its references by digest; return 0.

    Raises GeneratorError. Destinations that have not got the whole index are unchanged.
    """
    chosen = IndexOptions(**options | {"annotation": pairs("annotation", options["annotation"])})
    hooks = reference_hooks("index", say, note)
    if not chosen.image:
        raise GeneratorError("index: an image is required; hint: winscratch index --to docker://REF IMAGE IMAGE")
    to = places.destinations(chosen.to, "index")
    job = Job(lambda each: places.check(each, 2, force=chosen.force), partial(_built, chosen, note))
    places.write(to, job, hooks, force=chosen.force, plain=chosen.plain_http)
    return EXIT_OK


def reference_hooks(command: str, say: Say, note: Say) -> Hooks:
    """Return the hooks of a command that prints references; raises GeneratorError if standard output is closed."""
    if sys.stdout is None:
        raise GeneratorError(f"{command}: standard output is closed; hint: open it for the image's reference")
    return Hooks(note, shown, say)


def _built(options: IndexOptions, note: Say, work: Path, stack: contextlib.ExitStack) -> BuiltImage:
    folder = work / "layers"
    folder.mkdir()
    entries: list[Entry] = []
    annotations: dict[str, str] = {}
    attestations: list[Attestation] = []
    for text in options.image:
        name, platform = given(text)
        lookup = stack.enter_context(look_up(name, plain=options.plain_http, work=work, windows=False, attested=True))
        images = [packed(each, folder) for each in opened_images(lookup, folder, note)]
        if not images:
            raise GeneratorError(f"{name}: leads to no image; hint: name another")
        _join(annotations, lookup, options.annotation, note)
        entries += [_entry(image, platform, len(images)) for image in images]
        attestations += kept(lookup, {image.listed.digest for image in images}, folder, note)
    if len(entries) > _MOST:
        raise GeneratorError(f"index: {len(entries)} images; hint: give {_MOST} at most")
    return composed(entries, {**annotations, **options.annotation}, attestations)


def _entry(image: Opened, platform: ImagePlatform | None, images: int) -> Entry:
    """Return the entry of *image*, for the *platform* if that is given; raises GeneratorError."""
    own = image.platform
    if platform is not None:
        if images > 1:
            raise GeneratorError(f"{image.lookup.name}: {images} images for one platform; hint: give one by its digest")
        if (normal(platform).os, normal(platform).architecture) != (normal(own).os, normal(own).architecture):
            raise GeneratorError(f"{image.name}: for {spelled(own)}, not {spelled(platform)}; hint: give its own")
        if normal(own).os == "windows" and platform.os_version and not build(platform.os_version):
            raise GeneratorError(f"{image.name}: invalid version {platform.os_version}; hint: such as 10.0.20348.2113")
    found = platform or own
    if not (found.os and found.architecture):
        raise GeneratorError(f"{image.name}: without a platform; hint: give IMAGE@OS/ARCH")
    return Entry(image.name, descriptor_of(image.listed), found, image.layers, image.made)


def _join(annotations: dict[str, str], lookup: Lookup, over: Mapping[str, str], note: Say) -> None:
    """Add the annotations of an index to *annotations*; the first value of a name stays."""
    for name, value in ((lookup.top.annotations if lookup.top else None) or {}).items():
        kept = annotations.setdefault(name, value)
        if kept != value and name not in over:
            note(f"warning: {lookup.name}: its annotation {shorten(name)} is left out, another index has another value")


def composed(
    entries: Sequence[Entry], annotations: Mapping[str, str] | None, attestations: Iterable[Attestation]
) -> BuiltImage:
    """Return the index of *entries*, with *annotations*; if these are None, the only entry without an index.

    Each of *attestations* is listed once. Raises GeneratorError for two images for one platform.
    """
    different = {each.descriptor["digest"]: each for each in attestations}.values()
    documents = [each for entry in entries for each in entry.made]
    if annotations is not None:
        documents += [each for attestation in different for each in attestation.documents]
        documents.append(_index(entries, annotations, [each.descriptor for each in different]))
    variants = tuple(Variant(each.made[0], each.layers) for each in entries)
    blobs = tuple(blob for each in different for blob in each.blobs)
    return BuiltImage(documents[-1], tuple(dict.fromkeys(documents)), variants, blobs)


def _index(entries: Sequence[Entry], annotations: Mapping[str, str], attestations: Sequence[Json]) -> Document:
    """Return the index of *entries*, in their order, then *attestations*; an image given twice is listed once."""
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
        own = {key: value for key, value in msgspec.to_builtins(entry.platform).items() if value}
        platform = own | entry.descriptor.get("platform", {})
        manifests.append(entry.descriptor | {"platform": platform})
    content: Json = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*manifests, *attestations]}
    return document(content | ({"annotations": dict(annotations)} if annotations else {}), INDEX)
