# SPDX-License-Identifier: Apache-2.0
"""Replace the base of an image: the lowest layers change, those above stay byte for byte.

Pure but for the layers above, which are read for what ties them to the old base.
"""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from ..base.console import Say
from ..base.errors import GeneratorError, shorten
from ..image.assemble import Variant
from ..image.config import BASE_DIGEST, CONFIG, MANIFEST, Document, descriptor, document
from ..image.model import LayerBlob
from ..imageread.documents import ImagePlatform
from ..imageread.platforms import architecture
from .bases import Below
from .join import join
from .opened import Opened, oci_type
from .ties import ties

Json = dict[str, Any]
BASE_NAME: Final = "org.opencontainers.image.base.name"
_BUILD: Final = re.compile(r"([0-9]+\.[0-9]+\.[0-9]+)(?:\.[0-9]+)?")
_MOST_TIES: Final = 3  # that an error lists


class Rebased(NamedTuple):
    """An image on its new base: the documents and layers, its platform, and a line for each difference."""

    variant: Variant
    manifest: Document
    platform: ImagePlatform
    changes: list[str]


def rebased(image: Opened, above: Sequence[LayerBlob], old: Below, new: Below) -> Rebased:
    """Return *image* on *new* in place of *old*, with the blobs *above* of its other layers."""
    joined = join(image.config, old.config, new.config)
    config = joined.config
    config["rootfs"] = {"type": "layers", "diff_ids": [*new.diff_ids, *(blob.diff_id for blob in above)]}
    config["history"] = [
        *_history(new.config, len(new.diff_ids)),
        *_above(image.config, len(image.diff_ids), old.config, len(old.diff_ids)),
    ]
    made = document(config, CONFIG)
    count = len(old.diff_ids)
    kept = [each | {"mediaType": oci_type(each["mediaType"])} for each in image.manifest["layers"][count:]]
    content = image.manifest | {"schemaVersion": 2, "mediaType": MANIFEST, "config": made.descriptor}
    content["layers"] = [*(descriptor(blob.media_type, blob.digest, blob.size) for blob in new.layers), *kept]
    annotations = {
        key: value
        for key, value in (image.manifest.get("annotations") or {}).items()
        if key not in {BASE_NAME, BASE_DIGEST}
    }
    content["annotations"] = annotations | new.annotations
    changes = [f"layers: {count} of {old.name} replaced by {len(new.diff_ids)} of {new.name}, {len(kept)} kept"]
    blobs = (*new.layers, *above)
    platform = ImagePlatform(
        config.get("architecture", ""),
        config.get("os", ""),
        config.get("os.version"),
        tuple(config.get("os.features", ())),
        config.get("variant", ""),
    )
    return Rebased(Variant(made, blobs), document(content, MANIFEST), platform, changes + joined.changes)


def refuse(image: Opened, old: Below, new: Below, note: Say, *, force: bool) -> None:
    """Raise GeneratorError if *image* does not stand on *old*, or cannot move to *new*.

    With *force*, a change of the build and layers that are tied to the old base are noted only.
    """
    name = image.image.name
    count = len(old.diff_ids)
    if image.diff_ids[:count] != old.diff_ids:
        at = next(at for at, each in enumerate(old.diff_ids) if image.diff_ids[at : at + 1] != (each,))
        have = shorten(next(iter(image.diff_ids[at : at + 1]), "missing"), 19)
        raise GeneratorError(
            f"{name}: not on {old.name}: its layer {at} is {have}, the base's {shorten(old.diff_ids[at], 19)}; "
            "hint: --from REF of the base that it was made on"
        )
    if (new.config.get("config") or {}).get("OnBuild"):
        raise GeneratorError(f"{new.name}: ONBUILD has no meaning here; hint: choose a base without it")
    mine, theirs = (architecture(each.get("architecture")) for each in (image.config, new.config))
    if mine != theirs:
        raise GeneratorError(f"{name}: for {mine}, and {new.name} is for {theirs}; hint: choose another base")
    problems = []
    before, after = (build(each) for each in (image.platform.os_version, new.config.get("os.version")))
    if before and after and before != after:
        problems.append(f"the build changes from {before} to {after}, not only its revision")
    problems += map(str, islice(ties(image.image.layers[count:], name), _MOST_TIES))
    for each in problems if force else ():
        note(f"warning: {name}: {each}")
    if problems and not force:
        raise GeneratorError(f"{name}: {'; '.join(problems)}; hint: build it again on {new.name}, or give --force")


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
