# SPDX-License-Identifier: Apache-2.0
"""Rebase an image, or each image for Windows of an index, and write the result to its destinations."""

import contextlib
from pathlib import Path
from typing import NamedTuple

from ..base.console import Say
from ..base.errors import GeneratorError
from ..image import places, transfer
from ..image.assemble import BuiltImage, Variant
from ..image.config import Document
from ..image.places import Hooks, Job, Made
from ..imageread.found import is_foreign
from ..imageread.lookup import look_up
from ..imageread.platforms import architecture, spelled
from ..imageread.references import Platform
from . import rebased
from .attestations import different, kept
from .bases import BaseFinder
from .entries import Entry, descriptor_of, index
from .opened import Opened, opened_images, packed


class RebaseOptions(NamedTuple):
    """The options of ``rebase``: *image* goes from the base *old*, found out if empty, *onto* another.

    *force* allows changes of the build, layers that are tied to the old base, and overwriting archives. *plain* holds
    registries that may lack TLS.
    """

    image: str
    onto: str
    to: tuple[str, ...]
    old: str = ""
    force: bool = False
    plain: tuple[str, ...] = ()


def rebase(options: RebaseOptions, hooks: Hooks) -> Made:
    """Rebase the image of *options* and write it to each destination; differences go to the hooks' note.

    Raises GeneratorError. Destinations that have not got the whole image are unchanged.
    """
    if not options.onto:
        raise GeneratorError("rebase: --onto is required; hint: --onto docker://REF of the new base, or scratch")
    to = places.destinations(options.to, "rebase")

    def build(work: Path, stack: contextlib.ExitStack) -> BuiltImage:
        return _built(options, BaseFinder(stack, work, options.plain), hooks.note)

    job = Job(lambda each: places.check(each, 1, force=options.force), build)
    return places.write(to, job, hooks, force=options.force, plain=options.plain)


def _built(options: RebaseOptions, finder: BaseFinder, note: Say) -> BuiltImage:
    """Return the image on its new base."""
    folder = finder.work / "layers"
    folder.mkdir()
    lookup = finder.stack.enter_context(
        look_up(options.image, plain=options.plain, work=finder.work, windows=False, attested=True)
    )
    images = opened_images(lookup, folder, note)
    if all(is_foreign(each.platform.os) for each in images):
        raise GeneratorError(f"{options.image}: no image for Windows; hint: name another")
    entries: list[Entry] = []
    variants: list[Variant] = []
    made: list[Document] = []
    for image in images:
        entry, variant, documents = _moved(image, options, finder, folder, note)
        entries.append(entry)
        variants.append(variant)
        made += documents
    top = made[-1]
    unchanged = {each.descriptor["digest"] for each in entries} & {each.listed.digest for each in images}
    attestations = different(kept(lookup, unchanged, folder, note))
    if lookup.top is not None:
        made += (document for each in attestations for document in each.documents)
        top = index(entries, lookup.top.annotations or {}, [each.descriptor for each in attestations])
        made.append(top)
    blobs = tuple(blob for each in attestations for blob in each.blobs)
    return BuiltImage(top, tuple(dict.fromkeys(made)), tuple(variants), blobs)


def _moved(
    image: Opened, options: RebaseOptions, finder: BaseFinder, folder: Path, note: Say
) -> tuple[Entry, Variant, tuple[Document, Document]]:
    """Return an image on its new base, or as it is if it is for another system."""
    listed = descriptor_of(image.listed)
    if is_foreign(image.platform.os):
        return Entry(image.name, listed, image.platform), Variant(image.made[0], image.layers), image.made
    old = finder.old(image, options.old)
    version = rebased.build(image.platform.os_version)
    new = finder.base("--onto", options.onto, Platform(architecture(image.platform.architecture), version))
    problems = rebased.refuse(image, old, new)
    rebased.settle(image, new, problems, note, force=options.force)
    image.lookup.fetch(image.image, {layer.digest for layer in image.layers[len(old.diff_ids) :]})
    rebased.settle(image, new, rebased.tied(image, old), note, force=options.force)
    image = packed(image, folder, len(old.diff_ids))
    transfer.fetch(image.layers[len(old.diff_ids) :])
    found = rebased.rebased(image, old, new)
    for line in found.changes:
        note(f"{spelled(image.platform)}: {line}")
    documents = found.variant.config, found.manifest
    return Entry(image.name, listed | found.manifest.descriptor, found.platform), found.variant, documents
