# SPDX-License-Identifier: Apache-2.0
"""Replace the base of an image: the lowest layers change, those above stay byte for byte.

Pure but for the layers above, which are read for what ties them to the old base.
"""

import re
from typing import Any, Final, NamedTuple

from ..base.console import Say
from ..base.errors import GeneratorError, shorten
from ..image.assemble import Variant
from ..image.base import DIGEST_OF, NAME
from ..image.config import CONFIG, MANIFEST, Document, descriptor, document
from ..imageread.documents import ImagePlatform
from ..imageread.platforms import architecture
from .bases import BaseImage
from .join import join
from .opened import Opened, platform_of
from .ties import ties

Json = dict[str, Any]
_BUILD: Final = re.compile(r"([0-9]+\.[0-9]+\.[0-9]+)(?:\.[0-9]+)?")
_MOST_TIES: Final = 3  # that an error lists


class Rebased(NamedTuple):
    """An image on its new base: configuration and layers, manifest, platform, and a line for each difference."""

    variant: Variant
    manifest: Document
    platform: ImagePlatform
    changes: list[str]


def rebased(image: Opened, old: BaseImage, new: BaseImage) -> Rebased:
    """Return *image* on *new* in place of *old*."""
    count = len(old.diff_ids)
    above = image.layers[count:]
    joined = join(image.config, old.config, new.config)
    config = joined.config
    config["rootfs"] = {"type": "layers", "diff_ids": [*new.diff_ids, *image.diff_ids[count:]]}
    config["history"] = [
        *_history(new.config, len(new.diff_ids)),
        *_above(image.config, len(image.diff_ids), old.config, count),
    ]
    made = document(config, CONFIG)
    content = image.manifest | {"schemaVersion": 2, "mediaType": MANIFEST, "config": made.descriptor}
    content["layers"] = [
        descriptor(each.media_type, each.digest, each.size) | dict(each.fields) for each in (*new.layers, *above)
    ]
    own = image.manifest.get("annotations") or {}
    content["annotations"] = {key: own[key] for key in own if key not in {NAME, DIGEST_OF}} | new.annotations
    changes = [f"layers: {count} of {old.name} replaced by {len(new.diff_ids)} of {new.name}, {len(above)} kept"]
    variant = Variant(made, (*new.layers, *above))
    return Rebased(variant, document(content, MANIFEST), platform_of(config), changes + joined.changes)


def refuse(image: Opened, old: BaseImage, new: BaseImage) -> list[str]:
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
    below, before, after = (
        build(each) for each in (old.config.get("os.version"), image.platform.os_version, new.config.get("os.version"))
    )
    if before and after and before != after:
        return [f"the build changes from {before} to {after}, not only its revision"]
    if below and not after:
        return [f"the build changes from {below} to none: {new.name} has no os.version"]
    return []


def tied(image: Opened, old: BaseImage) -> list[str]:
    """Return what ties the layers of *image* to *old*, one line each; the layers are read, and can be opened.

    Raises GeneratorError for a damaged layer.
    """
    found = list(ties(image.image.layers[len(old.diff_ids) :], image.name))  # which reads them all
    return [str(each) for each in found[:_MOST_TIES]]


def settle(image: Opened, new: BaseImage, problems: list[str], note: Say, *, force: bool) -> None:
    """Raise GeneratorError for *problems* of *image* on *new*; note them only with *force*."""
    if problems and not force:
        raise GeneratorError(f"{image.name}: {'; '.join(problems)}; hint: build it on {new.name}, or give --force")
    for each in problems:
        note(f"warning: {image.name}: {each}")


def build(version: str | None) -> str:
    """Return the build of a version, such as 10.0.20348, or nothing."""
    found = _BUILD.fullmatch(version or "")
    return found[1] if found else ""


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
