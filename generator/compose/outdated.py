# SPDX-License-Identifier: Apache-2.0
"""The command `outdated`: look for newer bases behind the names of images' bases; only documents are read."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..base import console
from ..base.console import Say, json_document
from ..base.errors import EXIT_OK, EXIT_STALE, GeneratorError, shorten
from ..base.signals import unwinding
from ..image.base import DIGEST_OF, NAME, Base, NoImageError, resolve
from ..imageread.lookup import look_up
from ..imageread.platforms import architecture, spelled
from ..imageread.references import Platform, reference
from ..imageread.registry import NotFoundError
from .bases import IMGUTIL, known
from .opened import Opened, build, build_platform, opened


class Verdict(NamedTuple):
    """Whether the base of an image for one platform is the newest: *base* is its name, *newest* a digest if known.

    *why* is the reason in words.
    """

    image: str
    platform: str
    base: str
    fresh: bool
    newest: str
    why: str

    def __str__(self) -> str:
        return f"{self.image}: {self.platform}: {'fresh' if self.fresh else 'outdated'}: {self.why}"


def outdated(
    names: Sequence[str], as_json: bool, plain: Sequence[str], *, say: Say = console.say, note: Say = console.note
) -> int:
    """Print whether there is a newer base for each image; return 1 if there is one for any, else 0.

    All names are judged even if some cannot be. Their errors go to *note*, except the last one, which is raised as
    GeneratorError at the end.
    """
    if not names:
        raise GeneratorError("outdated: an image is required; hint: winscratch outdated docker://REF")
    verdicts: list[Verdict] = []
    errors: list[GeneratorError] = []
    for name in names:
        try:
            for verdict in _verdicts(name, plain):
                verdicts.append(verdict)
                if not as_json:
                    say(str(verdict))
        except GeneratorError as error:
            errors.append(error)
    if as_json:
        say(json_document([each._asdict() for each in verdicts]))
    for each in errors[:-1]:
        note(f"error: {each}")
    if errors:
        raise errors[-1]
    return EXIT_OK if all(each.fresh for each in verdicts) else EXIT_STALE


def _verdicts(name: str, plain: Sequence[str]) -> Iterator[Verdict]:
    """Yield a verdict for each image for Windows that *name* leads to. Raises GeneratorError."""
    with unwinding(), contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="winscratch-")))
        lookup = stack.enter_context(look_up(name, plain=plain, work=work))
        if not lookup.images:
            raise GeneratorError(f"{name}: no image for Windows; hint: name another")
        for each in lookup.images:
            image = opened(lookup, each, work)
            with contextlib.ExitStack() as bases:
                yield _Judging(image, bases, work, plain).verdict()


class _Judging(NamedTuple):
    image: Opened
    stack: contextlib.ExitStack
    work: Path
    plain: Sequence[str]

    def verdict(self) -> Verdict:
        """Return the verdict on the image's base."""
        annotations = self.image.manifest.get("annotations") or {}
        name, digest = annotations.get(NAME, ""), annotations.get(DIGEST_OF, "")
        if not name:
            return self._known()
        found = reference(name, f"{self.image.name}: {NAME} {shorten(name)}")
        if found.digest and found.tag:  # the tag may lead to a newer one
            name, digest = f"{found.name}:{found.tag}", digest or found.digest
        try:
            newest = self._base(name, build(self.image.platform.os_version))
        except NoImageError:
            return self._verdict(name, False, "", f"{shorten(name, 200)} has no image for {build_platform(self.image)}")
        ids = tuple(layer.diff_id for layer in newest.layers)
        stands = self.image.diff_ids[: len(ids)] == ids
        here = newest.image.descriptor.digest if newest.image.descriptor else ""
        version = f", of {newest.platform.version}" if newest.platform.version else ""
        fixed = ", a digest, so no newer one is looked for" if "@" in name else ""
        now = f"{shorten(name, 200)} is {here}{version}{fixed}"
        moved = bool(digest) and digest not in {newest.lookup.digest, here}
        if moved and not self._was(f"{found.name}@{digest}", here):
            return self._verdict(name, False, here, f"{now}, and the image stands on {shorten(digest, 80)}")
        return self._verdict(name, stands, here, now if stands else f"{now}, and the image has other layers")

    def _known(self) -> Verdict:
        """Return the verdict on an image without the name of its base, which may be a known base layer."""
        name = known(self.image.diff_ids)
        if not name:
            raise GeneratorError(
                f"{self.image.name}: its base is unknown, since it has no annotation {NAME}; hint: build it with --base"
            )
        hint = "imgutil's base layer, which has no newer one; its hives are empty, and those of scratch valid"
        return self._verdict(name, True, "", hint if name == IMGUTIL else f"{name} has not changed")

    def _was(self, name: str, here: str) -> bool:
        """Return whether the index *name*, by digest, led to the manifest *here*, while others in it changed.

        Raises GeneratorError if the registry does not answer; an index that it no longer has led elsewhere.
        """
        try:
            old = self._base(name, self.image.platform.os_version or "")
        except (NoImageError, NotFoundError):
            return False
        return old.image.descriptor is not None and old.image.descriptor.digest == here

    def _base(self, name: str, version: str) -> Base:
        wanted = Platform(architecture(self.image.platform.architecture), version)
        (found,) = resolve(f"docker://{name}", [wanted], self.stack, self.work, plain=self.plain, shown=self.image.name)
        return found

    def _verdict(self, base: str, fresh: bool, newest: str, why: str) -> Verdict:
        return Verdict(self.image.name, spelled(self.image.platform), base, fresh, newest, why)
