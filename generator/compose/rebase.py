# SPDX-License-Identifier: Apache-2.0
"""The command `rebase`: move an image, or each image for Windows of an index, to another base.

The lowest layers are replaced, those above stay byte for byte; they are read for what ties them to the old base.
"""

import contextlib
import functools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..base import console
from ..base.console import Say
from ..base.errors import EXIT_OK, GeneratorError, shorten
from ..image import places, transfer
from ..image.assemble import BuiltImage
from ..image.base import DIGEST_OF, NAME
from ..image.config import CONFIG, MANIFEST, descriptor, document
from ..image.places import Job
from ..imageread.found import is_foreign
from ..imageread.lookup import look_up
from ..imageread.platforms import architecture, spelled
from ..imageread.references import Platform
from .attestations import kept
from .bases import BaseFinder, BaseImage
from .index import Entry, composed, reference_hooks
from .join import join
from .opened import Opened, build, build_platform, descriptor_of, opened_images, packed, platform_of
from .ties import ties

Json = dict[str, Any]
_MOST_TIES: Final = 3  # that an error lists


class RebaseOptions(NamedTuple):
    """The options of ``rebase``: *image* goes from the base *old*, found out if empty, *onto* another.

    *force* allows changes of the build, layers that are tied to the old base, and overwriting archives. *plain_http*
    holds registries that may lack TLS.
    """

    image: str
    onto: str
    to: Sequence[str]
    old: str
    force: bool
    plain_http: Sequence[str]


def rebase(options: dict[str, Any], *, say: Say = console.say, note: Say = console.note) -> int:
    """Rebase the image of *options*, write it to each destination, and print its references by digest; return 0.

    *note* gets the differences. Raises GeneratorError. Destinations that have not got the whole image are unchanged.
    """
    others = {key: value for key, value in options.items() if key != "from"}
    chosen = RebaseOptions(old=options["from"] or "", **others)
    hooks = reference_hooks("rebase", say, note)
    if not chosen.onto:
        raise GeneratorError("rebase: --onto is required; hint: --onto docker://REF of the new base, or scratch")
    to = places.destinations(chosen.to, "rebase")
    job = Job(lambda each: places.check(each, 1, force=chosen.force), partial(_built, chosen, note))
    places.write(to, job, hooks, force=chosen.force, plain=chosen.plain_http)
    return EXIT_OK


def _built(options: RebaseOptions, note: Say, work: Path, stack: contextlib.ExitStack) -> BuiltImage:
    """Return the image on its new base."""
    folder = work / "layers"
    folder.mkdir()
    finder = BaseFinder(stack, work, options.plain_http)
    lookup = stack.enter_context(
        look_up(options.image, plain=options.plain_http, work=work, windows=False, attested=True)
    )
    images = opened_images(lookup, folder, note)
    if all(is_foreign(each.platform.os) for each in images):
        raise GeneratorError(f"{options.image}: no image for Windows; hint: name another")
    bases = _Bases(finder, options.old, functools.cache(partial(finder.base, "--onto", options.onto)))
    staying = [] if options.force else _staying(images, bases.onto)
    entries = [
        _stays(image, note) if image in staying else _moved(image, bases, folder, note, force=options.force)
        for image in images
    ]
    unchanged = {each.descriptor["digest"] for each in entries} & {each.listed.digest for each in images}
    attestations = kept(lookup, unchanged, folder, note)
    annotations = (lookup.top.annotations if lookup.top else None) or {}
    return composed(entries, annotations if lookup.top or attestations else None, attestations)


class _Bases(NamedTuple):
    """How the bases of an image are found: the one given as *old*, if any, and *onto* returns the new one, once."""

    finder: BaseFinder
    old: str
    onto: Callable[[Platform], BaseImage]


def _staying(images: Sequence[Opened], onto: Callable[[Platform], BaseImage]) -> list[Opened]:
    """Return those of *images* for Windows that have a build while the new base has none, or none while it has one.

    That is if there are both, as in an index of a HostProcess image and one on nanoserver. Raises GeneratorError.
    """
    windows = [image for image in images if not is_foreign(image.platform.os)]
    with_build = [image for image in windows if build(image.platform.os_version)]
    if not with_build or len(with_build) == len(windows):
        return []
    new = onto(build_platform(with_build[0]))
    return [image for image in windows if bool(build(new.config.get("os.version"))) != (image in with_build)]


def _stays(image: Opened, note: Say) -> Entry:
    """Return *image* as it is; *note* gets the reason."""
    own, other = ("an", "no") if build(image.platform.os_version) else ("no", "an")
    note(f"{spelled(image.platform)}: stays on its base, since it has {own} os.version, and the new base has {other}")
    return _same(image)


def _same(image: Opened) -> Entry:
    return Entry(image.name, descriptor_of(image.listed), image.platform, image.layers, image.made)


def _moved(image: Opened, bases: _Bases, folder: Path, note: Say, *, force: bool) -> Entry:
    """Return an image on its new base, or as it is if it is for another system."""
    if is_foreign(image.platform.os):
        return _same(image)
    old = bases.finder.old(image, bases.old)
    new = bases.onto(build_platform(image))
    above = image.layers[len(old.diff_ids) :]
    _settle(image, new, _refuse(image, old, new), note, force=force)
    image.lookup.fetch(image.image, {layer.digest for layer in above})
    found = list(ties(image.image.layers[len(old.diff_ids) :], image.name))  # which reads them all
    _settle(image, new, found[:_MOST_TIES], note, force=force)
    image = packed(image, folder, len(old.diff_ids))
    transfer.fetch(image.layers[len(old.diff_ids) :])
    return _rebased(image, old, new, note)


def _rebased(image: Opened, old: BaseImage, new: BaseImage, note: Say) -> Entry:
    """Return *image* on *new* in place of *old*; *note* gets a line for each difference."""
    count = len(old.diff_ids)
    above = image.layers[count:]
    config, changes = join(image.config, old.config, new.config)
    config["rootfs"] = {"type": "layers", "diff_ids": [*new.diff_ids, *image.diff_ids[count:]]}
    config["history"] = [
        *_history(new.config, len(new.diff_ids)),
        *_above(image.config, len(image.diff_ids), old.config, count),
    ]
    made = document(config, CONFIG)
    content = image.manifest | {"schemaVersion": 2, "mediaType": MANIFEST, "config": made.descriptor}
    blobs = (*new.layers, *above)
    content["layers"] = [descriptor(each.media_type, each.digest, each.size) | dict(each.fields) for each in blobs]
    own = image.manifest.get("annotations") or {}
    content["annotations"] = {key: own[key] for key in own if key not in {NAME, DIGEST_OF}} | new.annotations
    layers = f"layers: {count} of {old.name} replaced by {len(new.diff_ids)} of {new.name}, {len(above)} kept"
    for line in (layers, *changes):
        note(f"{spelled(image.platform)}: {line}")
    manifest = document(content, MANIFEST)
    listed = descriptor_of(image.listed) | manifest.descriptor
    return Entry(image.name, listed, platform_of(config), blobs, (made, manifest))


def _refuse(image: Opened, old: BaseImage, new: BaseImage) -> list[str]:
    """Raise GeneratorError if *image* does not stand on *old*, or can never stand on *new*.

    Returns why it should not, one line each.
    """
    name = image.name
    count = len(old.diff_ids)
    if image.diff_ids[:count] != old.diff_ids:
        at = next(at for at, each in enumerate(old.diff_ids) if image.diff_ids[at : at + 1] != (each,))
        have = shorten(next(iter(image.diff_ids[at : at + 1]), "missing"), 19)
        raise GeneratorError(
            f"{name}: not on {old.name}: its layer {at} is {have}, the base's {shorten(old.diff_ids[at], 19)}; "
            "hint: --from REF of the base that it was made on"
        )
    mine, theirs = (architecture(each.get("architecture")) for each in (image.config, new.config))
    if mine != theirs:
        raise GeneratorError(f"{name}: for {mine}, and {new.name} is for {theirs}; hint: choose another base")
    versions = (old.config.get("os.version"), image.platform.os_version, new.config.get("os.version"))
    below, before, after = map(build, versions)
    if before and after and before != after:
        return [f"the build changes from {before} to {after}, not only its revision"]
    if below and not after:
        return [f"the build changes from {below} to none: {new.name} has no os.version"]
    if after and not (below or before):
        return [f"the build changes from none to {after}: it runs on any now, and then needs that of {new.name}"]
    return []


def _settle(image: Opened, new: BaseImage, problems: list[str], note: Say, *, force: bool) -> None:
    """Raise GeneratorError for *problems* of *image* on *new*; note them only with *force*."""
    if problems and not force:
        raise GeneratorError(f"{image.name}: {'; '.join(problems)}; hint: build it on {new.name}, or give --force")
    for each in problems:
        note(f"warning: {image.name}: {each}")


def _history(config: Json, layers: int) -> list[Json]:
    """Return the history of a base with *layers*; it has one entry for each, made up if it is missing."""
    found = config.get("history") or []
    if sum(not each.get("empty_layer") for each in found) == layers:
        return list(found)
    return [{"comment": "without history"} for _ in range(layers)]


def _above(image: Json, layers: int, old: Json, count: int) -> list[Json]:
    """Return the history above the *count* layers of the old base."""
    found = _history(image, layers)
    before = old.get("history") or []
    if found[: len(before)] == before and sum(not each.get("empty_layer") for each in before) == count:
        return found[len(before) :]
    at = 0
    while count:
        count -= not found[at].get("empty_layer")
        at += 1
    return found[at:]
