# SPDX-License-Identifier: Apache-2.0
"""The bases of a rebase: images, the committed base layers, and imgutil's, which are known by their diff IDs."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..base import home
from ..base.errors import GeneratorError, shorten
from ..generation import manifest
from ..generation.committed import committed_blob
from ..image.assemble import Layers, PlatformImage, assemble
from ..image.base import DIGEST_OF, NAME, Base, NoImageError, resolve
from ..image.below import own_layer
from ..image.model import LayerBlob
from ..image.options import Options, epoch
from ..imageread.platforms import architecture
from ..imageread.references import Platform, reference
from .opened import Opened

Json = dict[str, Any]
IMGUTIL: Final = "imgutil"
_IMGUTIL: Final = "sha256:067833dadeca9180bb71a211248cbc0f6ada05499bfdef07dfb04e2eb96e7c82"
"""github.com/buildpacks/imgutil layer/windows_baselayer.go, WindowsBaseLayer()."""
_HINT: Final = "give the digest of one of"


class BaseImage(NamedTuple):
    """A base for one platform: *name* for lines, *config* as it stands, *annotations* of images on it, *layers*."""

    name: str
    config: Json
    diff_ids: tuple[str, ...]
    annotations: dict[str, str]
    layers: tuple[LayerBlob, ...] = ()


class BaseFinder(NamedTuple):
    """How bases are found: *stack* closes what is opened, *work* is a private directory, *plain* as for look_up()."""

    stack: contextlib.ExitStack
    work: Path
    plain: Sequence[str]

    def base(self, option: str, name: str, wanted: Platform) -> BaseImage:
        """Return the base *name*, given by *option*, a committed base layer or an image; raises GeneratorError.

        An index is entered by the platform; if it has none of that build, by the architecture alone.
        """
        if name in manifest.layers(Path(home.ROOT)):
            return self._own(name, wanted.architecture)
        try:
            found = self._image(option, name, wanted)
        except NoImageError:
            if not wanted.version:
                raise
            found = self._image(option, name, Platform(wanted.architecture))
        ids = tuple(layer.diff_id for layer in found.layers)
        return BaseImage(name, found.config, ids, found.annotations, found.layers)

    def _image(self, option: str, name: str, wanted: Platform) -> Base:
        shown = f"{option} {name}".lstrip()
        (found,) = resolve(name, [wanted], self.stack, self.work, plain=self.plain, shown=shown, hint=_HINT)
        return found

    def old(self, image: Opened, given: str) -> BaseImage:
        """Return the base of *image*: the one *given*, of its annotations, or a known layer; raises GeneratorError."""
        wanted = Platform(architecture(image.platform.architecture), image.platform.os_version or "")
        if given and given != IMGUTIL:
            return self.base("--from", given, wanted)
        if name := "" if given else annotated(image):
            try:
                return self.base("", f"docker://{name}", wanted)
            except GeneratorError as error:
                problem = str(error).partition("; hint: ")[0]
                raise GeneratorError(f"{image.name}: its base is not found: {problem}; hint: --from REF") from error
        name = known(image.diff_ids)
        if not name or given not in {"", name}:
            raise GeneratorError(f"{image.name}: its base is unknown; hint: --from REF of the base that it was made on")
        if name != IMGUTIL:
            return self._own(name, wanted.architecture)
        config = {"architecture": image.config.get("architecture"), "os": "windows"}
        return BaseImage(IMGUTIL, config, image.diff_ids[:1], {})

    def _own(self, name: str, architecture: str) -> BaseImage:
        """Return a committed base layer as it is made for any version of Windows."""
        folder = self.work / f"own-{name}"
        folder.mkdir(exist_ok=True)
        blob = committed_blob(Path(home.ROOT), name)
        layer = own_layer(blob, folder)
        alone = PlatformImage(Platform(architecture), Options(layer=name), Layers(layer))
        image = assemble([alone], epoch({}))
        config = json.loads(image.variants[0].config.data)
        return BaseImage(name, config, (layer.diff_id,), {DIGEST_OF: image.top.digest}, (layer,))


def annotated(image: Opened) -> str:
    """Return the base that an image's annotations name, by digest if they have one, or nothing."""
    annotations = image.manifest.get("annotations") or {}
    name, digest = annotations.get(NAME, ""), annotations.get(DIGEST_OF, "")
    if not name:
        return ""
    found = reference(name, f"{image.name}: {NAME} {shorten(name)}")
    return f"{found.name}@{digest}" if digest else name


def known(diff_ids: Sequence[str]) -> str:
    """Return the name of the known base layer that is the lowest of *diff_ids*, or nothing."""
    for name in manifest.layers(Path(home.ROOT)):
        if committed_blob(Path(home.ROOT), name).diff_id == diff_ids[0]:
            return name
    return IMGUTIL if diff_ids[0] == _IMGUTIL else ""
