# SPDX-License-Identifier: Apache-2.0
"""Check an image: its documents against each other and against the layers, then each layer."""

import re
from collections import Counter
from typing import Final, NamedTuple

from ..base.errors import brief, counted, shorten
from ..hives.rules import Level
from ..imageread.documents import CONFIGS, DIGEST, LAYERS, MANIFESTS, OCI, Config, ImagePlatform, Manifest
from ..imageread.images import Image, Layer
from ..imageread.platforms import architecture, system
from .layer import CheckedLayer
from .layer import check as check_layer
from .rules import RULES, ImageFinding
from .start import check as check_start
from .tree import Tree

MOST: Final = {Level.REFUSED: 20, Level.UNUSUAL: 3}  # findings of one rule in one place; more are counted
_MOST_UNPACKED: Final = 256 << 30  # bytes of all layers that are checked, of all images together
_MOST_NAME: Final = 1000  # characters of an entry's name in a finding
_ARCHITECTURES: Final = frozenset({"amd64", "arm64", "arm", "386"})
_VERSION: Final = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){2,3}")


class Checked(NamedTuple):
    """The findings of an image; *more* counts, by place and rule, findings that are not listed."""

    name: str
    image: Image | None
    findings: tuple[ImageFinding, ...]
    more: dict[tuple[str, str], int]
    layers: tuple[CheckedLayer | None, ...]

    @property
    def good(self) -> bool:
        """Return whether Windows and clients accept the image and read it as intended."""
        return all(finding.level != Level.REFUSED for finding in self.findings)


class Findings:
    """Collects findings; lists those of one rule and place up to a limit, and counts the rest."""

    def __init__(self) -> None:
        self._listed: list[ImageFinding] = []
        self._alike: Counter[tuple[str, str]] = Counter()

    def add(self, where: str, rule: str, found: str, entry: str = "") -> None:
        """Add a finding: *found* breaks *rule*."""
        self._alike[where, rule] += 1
        if self._alike[where, rule] <= MOST[RULES[rule].level]:
            self._listed.append(ImageFinding(where, shorten(entry, _MOST_NAME), rule, found))

    def join(self, where: str, others: Checked) -> None:
        """Add the findings of *others* as findings at *where*."""
        for each in others.findings:
            self.add(where, each.rule, each.found, each.entry)
        for (_, rule), count in others.more.items():
            self._alike[where, rule] += count

    def checked(self, name: str, image: Image | None = None, layers: tuple[CheckedLayer | None, ...] = ()) -> Checked:
        """Return the findings since the last call."""
        beyond = {key: count - MOST[RULES[key[1]].level] for key, count in self._alike.items()}
        more = {key: count for key, count in beyond.items() if count > 0}
        found = tuple(self._listed)
        self._listed, self._alike = [], Counter()
        return Checked(name, image, found, more, layers)


def _claims(layer: Layer) -> tuple[object, ...]:
    """Return the claims of an image about a layer that the check compares with the blob."""
    pointer = layer.descriptor
    return layer.name, layer.diff_id, pointer and (pointer.size, pointer.media_type)


class LayerChecks:
    """Checks layers; caches results by the stack of layers below."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[Checked, CheckedLayer | None]] = {}
        self._left = _MOST_UNPACKED

    def check(self, image: Image, findings: Findings) -> tuple[CheckedLayer | None, ...]:
        """Add the findings of an image's layers, from the lowest up."""
        seen: list[CheckedLayer | None] = []
        for at, layer in enumerate(image.layers):
            where, key = f"{image.name}: layers[{at}]", tuple(_claims(each) for each in image.layers[: at + 1])
            if self._left < 0:
                findings.add(where, "bomb", "it is not checked: the layers before it are too large")
                seen.append(None)
                continue
            if key not in self._known:
                self._known[key] = self._first(layer, [each.tree if each else None for each in seen])
                self._left -= unpacked.unpacked if (unpacked := self._known[key][1]) else 0
            checked, found = self._known[key]
            findings.join(where, checked)
            seen.append(found)
        return tuple(seen)

    @staticmethod
    def _first(layer: Layer, below: list[Tree | None]) -> tuple[Checked, CheckedLayer | None]:
        findings = Findings()
        seen = check_layer(layer, below, lambda entry, rule, found: findings.add("", rule, found, entry))
        return findings.checked(""), seen


def check(image: Image, layers: LayerChecks, findings: Findings) -> Checked:
    """Return the findings of an image, with those that the reader of its documents added to *findings*."""
    _check_types(image, findings)
    if image.config is not None:
        _check_config(image, image.config, findings)
    if not image.layers and image.config is not None:
        findings.add(image.name, "layers", "no layers")
    seen = layers.check(image, findings)
    if image.config is not None:
        where = f"{image.name}: config"
        known = [(each.tree, each.programs) if each and each.tree else None for each in seen]
        check_start(image.config, known, lambda rule, found: findings.add(where, rule, found))
    return findings.checked(image.name, image, seen)


def _check_types(image: Image, findings: Findings) -> None:
    manifest = image.manifest
    if manifest is None:
        return
    if manifest.schema_version != 2:
        findings.add(image.name, "schema", f"the schema version is {manifest.schema_version}")
    declared = image.descriptor.media_type if image.descriptor else None
    if manifest.media_type and declared and manifest.media_type != declared:
        difference = f"it is {brief(manifest.media_type)}, and the descriptor says {brief(declared)}"
        findings.add(image.name, "media-type", difference)
    for what, kind, known in (
        ("the manifest", manifest.media_type or declared, MANIFESTS),
        ("the configuration", manifest.config.media_type, CONFIGS),
    ):
        if kind not in known:
            findings.add(image.name, "media-type", f"that of {what} is {brief(kind)}")
    for at, layer in enumerate(manifest.layers):
        if layer.media_type not in LAYERS:
            findings.add(f"{image.name}: layers[{at}]", "media-type", f"it is {brief(layer.media_type)}")
    _check_family(image.name, manifest, manifest.media_type or declared, findings)


def _check_family(name: str, manifest: Manifest, kind: str | None, findings: Findings) -> None:
    """Report a manifest that mixes OCI's and Docker's types; the configuration's type stands in for a missing one."""
    known = {*MANIFESTS, *CONFIGS, *LAYERS}
    first = next((each for each in (kind, manifest.config.media_type) if each in known), None)
    if first is None:
        return
    whose = first.startswith(OCI)
    places = {"the configuration": manifest.config, **{f"layers[{n}]": each for n, each in enumerate(manifest.layers)}}
    for what, each in places.items():
        if each.media_type in known and each.media_type.startswith(OCI) != whose:
            # OCI's with Docker's configuration, Docker's with OCI's layers
            refused = (each is manifest.config) == whose
            findings.add(name, "mixed" if refused else "mixed-taken", f"{what} is {each.media_type}, in {first}")


def _check_config(image: Image, config: Config, findings: Findings) -> None:
    where = f"{image.name}: config"
    if system(config.os) != "windows":
        findings.add(where, "os", f"it is {brief(config.os)}")
    if architecture(config.architecture) not in _ARCHITECTURES:
        findings.add(where, "architecture", f"it is {brief(config.architecture)}")
    _check_platform(where, image.platform, config, findings)
    if config.rootfs.type != "layers":
        findings.add(where, "rootfs", f"its type is {brief(config.rootfs.type)}")
    ids = config.rootfs.diff_ids or []
    if len(ids) != len(image.layers):
        difference = f"it has {counted(len(ids), 'diff ID')}, and the image {counted(len(image.layers), 'layer')}"
        findings.add(where, "rootfs", difference)
    for at, each in enumerate(ids):
        if not DIGEST.fullmatch(each):
            findings.add(where, "rootfs", f"diff_ids[{at}] is {brief(each)}, not a digest")
    if config.history:
        made = sum(not each.empty_layer for each in config.history)
        if made != len(image.layers):
            difference = f"it has {counted(made, 'layer')}, and the image has {counted(len(image.layers), 'layer')}"
            findings.add(where, "history", difference)


def _check_platform(where: str, platform: ImagePlatform | None, config: Config, findings: Findings) -> None:
    """Report differences between configuration and index; containerd uses the index, where the version is optional."""
    listed = platform or ImagePlatform()
    for version in dict.fromkeys(filter(None, (config.os_version, listed.os_version))):
        if not _VERSION.fullmatch(version):
            findings.add(where, "os-version", f"it is {brief(version)}")
    for key, normal in (("os", system), ("architecture", architecture)):
        own, other = getattr(config, key) or None, getattr(listed, key) or None
        if platform is not None and normal(other) != normal(own):
            findings.add(where, "platform", f"{key} is {brief(own)}, and the index says {brief(other)}")
        for spelled, rule in ((own, "spelling"), (other, "spelling" if key == "os" else "spelling-listed")):
            if spelled and spelled != normal(spelled) and normal(spelled) in {*_ARCHITECTURES, "windows"}:
                findings.add(where, rule, f"{key} is {brief(spelled)}; allowed: {normal(spelled)}")
    if config.os_version and listed.os_version and listed.os_version != config.os_version:
        difference = f"os.version is {brief(config.os_version)}, and the index says {brief(listed.os_version)}"
        findings.add(where, "platform-version", difference)
