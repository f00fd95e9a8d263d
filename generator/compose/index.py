# SPDX-License-Identifier: Apache-2.0
"""Make one index of images that exist, for any systems, and write it to its destinations."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ..base.console import Say
from ..base.errors import GeneratorError, shorten
from ..image import places
from ..image.assemble import BuiltImage, Variant
from ..image.places import Hooks, Job, Made
from ..imageread.documents import ImagePlatform
from ..imageread.lookup import Lookup, look_up
from ..imageread.platforms import given, normal, spelled
from . import entries
from .attestations import Attestation, different, kept
from .entries import Entry, descriptor_of
from .opened import Opened, opened_images, packed
from .rebased import build

if TYPE_CHECKING:
    from ..image.config import Document

_MOST: Final = 500  # images of an index


class IndexOptions(NamedTuple):
    """The options of ``index``: *images* as names with ``@PLATFORM`` if it is given, and annotations of the index.

    *force* allows overwriting archives, *plain* holds registries that may lack TLS.
    """

    images: tuple[str, ...]
    to: tuple[str, ...]
    annotation: Mapping[str, str] = {}
    force: bool = False
    plain: tuple[str, ...] = ()


def index(options: IndexOptions, hooks: Hooks) -> Made:
    """Make the index of *options* and write it to each destination.

    Raises GeneratorError. Destinations that have not got the whole index are unchanged.
    """
    if not options.images:
        raise GeneratorError("index: an image is required; hint: winscratch index --to docker://REF IMAGE IMAGE")
    to = places.destinations(options.to, "index")

    def build(work: Path, stack: contextlib.ExitStack) -> BuiltImage:
        return _built(options, stack, work, hooks.note)

    job = Job(lambda each: places.check(each, 2, force=options.force), build)
    return places.write(to, job, hooks, force=options.force, plain=options.plain)


def _built(options: IndexOptions, stack: contextlib.ExitStack, work: Path, note: Say) -> BuiltImage:
    folder = work / "layers"
    folder.mkdir()
    listed: list[Entry] = []
    variants: list[Variant] = []
    documents: dict[Document, None] = {}
    annotations: dict[str, str] = {}
    attestations: list[Attestation] = []
    for text in options.images:
        name, platform = given(text)
        lookup = stack.enter_context(look_up(name, plain=options.plain, work=work, windows=False, attested=True))
        images = [packed(each, folder) for each in opened_images(lookup, folder, note)]
        if not images:
            raise GeneratorError(f"{name}: leads to no image; hint: name another")
        _join(annotations, lookup, options.annotation, note)
        for image in images:
            listed.append(_entry(image, platform, len(images)))
            variants.append(Variant(image.made[0], image.layers))
            documents |= dict.fromkeys(image.made)
        attestations += kept(lookup, {image.listed.digest for image in images}, folder, note)
    attestations = different(attestations)
    for each in attestations:
        documents |= dict.fromkeys(each.documents)
    if len(listed) > _MOST:
        raise GeneratorError(f"index: {len(listed)} images; hint: give {_MOST} at most")
    joined = {**annotations, **options.annotation}
    top = entries.index(listed, joined, [each.descriptor for each in attestations])
    blobs = tuple(blob for each in attestations for blob in each.blobs)
    return BuiltImage(top, (*documents, top), tuple(variants), blobs)


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
    return Entry(image.name, descriptor_of(image.listed), found)


def _join(annotations: dict[str, str], lookup: Lookup, over: Mapping[str, str], note: Say) -> None:
    """Add the annotations of an index to *annotations*; the first value of a name stays."""
    for name, value in ((lookup.top.annotations if lookup.top else None) or {}).items():
        kept = annotations.setdefault(name, value)
        if kept != value and name not in over:
            note(f"warning: {lookup.name}: its annotation {shorten(name)} is left out, another index has another value")
