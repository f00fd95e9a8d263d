# SPDX-License-Identifier: Apache-2.0
"""The check of an image: what its documents say, of each other and of the layers, and then each layer."""

import re
from collections import Counter
from typing import Final, NamedTuple

from ..base.errors import brief, counted, shorten
from ..hives.rules import Level
from ..imageread.documents import CONFIGS, DIGEST, LAYERS, MANIFESTS, OCI, Config, Manifest, Platform
from ..imageread.images import Image, Layer
from .layer import Seen
from .layer import check as check_layer
from .rules import RULES, Finding
from .start import check as check_start
from .tree import Tree

MOST: Final = {Level.REFUSED: 20, Level.UNUSUAL: 3}  # findings of one rule in one place; more are counted
_MOST_UNPACKED: Final = 256 << 30  # bytes of all layers that are looked at, those of several images together
_MOST_NAME: Final = 1000  # characters of an entry's name in a finding
_ARCHITECTURES: Final = frozenset({"amd64", "arm64", "arm", "386"})
_VERSION: Final = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){2,3}")


class Checked(NamedTuple):
    """What the check found of an image; *more* counts, by place and rule, findings beyond those that are listed."""

    name: str
    image: Image | None
    findings: tuple[Finding, ...]
    more: dict[tuple[str, str], int]
    layers: tuple[Seen | None, ...]

    @property
    def good(self) -> bool:
        """Tell whether Windows and clients take the image as what it says."""
        return all(finding.level != Level.REFUSED for finding in self.findings)


class Findings:
    """Findings as they come, those that are alike listed up to a number and counted beyond it."""

    def __init__(self) -> None:
        self._listed: list[Finding] = []
        self._alike: Counter[tuple[str, str]] = Counter()

    def add(self, where: str, rule: str, found: str, entry: str = "") -> None:
        """Add what was *found* to break a rule."""
        self._alike[where, rule] += 1
        if self._alike[where, rule] <= MOST[RULES[rule].level]:
            self._listed.append(Finding(where, shorten(entry, _MOST_NAME), rule, found))

    def join(self, where: str, others: Checked) -> None:
        """Add what was found elsewhere as found at *where*."""
        for each in others.findings:
            self.add(where, each.rule, each.found, each.entry)
        for (_, rule), count in others.more.items():
            self._alike[where, rule] += count

    def checked(self, name: str, image: Image | None = None, layers: tuple[Seen | None, ...] = ()) -> Checked:
        """Return what was found since the last time."""
        beyond = {key: count - MOST[RULES[key[1]].level] for key, count in self._alike.items()}
        more = {key: count for key, count in beyond.items() if count > 0}
        found = tuple(self._listed)
        self._listed, self._alike = [], Counter()
        return Checked(name, image, found, more, layers)


_Said = tuple[str, str, int | None, str | None]  # of a layer: name, diff ID, size in bytes, media type


def _told(layer: Layer) -> _Said:
    """Return all that an image says of a layer, and that its check compares with the blob."""
    if layer.descriptor is None:
        return layer.name, layer.diff_id, None, None
    return layer.name, layer.diff_id, layer.descriptor.size, layer.descriptor.media_type


class Layers:
    """The check of layers, each once however many images have it on the same ones below."""

    def __init__(self) -> None:
        self._known: dict[tuple[_Said, ...], tuple[Checked, Seen | None]] = {}
        self._left = _MOST_UNPACKED

    def check(self, image: Image, findings: Findings) -> tuple[Seen | None, ...]:
        """Add the findings of an image's layers, from the lowest up."""
        seen: list[Seen | None] = []
        for at, layer in enumerate(image.layers):
            key = tuple(_told(each) for each in image.layers[: at + 1])
            if self._left < 0:
                findings.add(f"{image.name}: layers[{at}]", "bomb", "it is not looked at: those before were too large")
                seen.append(None)
                continue
            if key not in self._known:
                self._known[key] = self._first(layer, [each.tree if each else None for each in seen])
                self._left -= unpacked.unpacked if (unpacked := self._known[key][1]) else 0
            told, found = self._known[key]
            findings.join(f"{image.name}: layers[{at}]", told)
            seen.append(found)
        return tuple(seen)

    @staticmethod
    def _first(layer: Layer, below: list[Tree | None]) -> tuple[Checked, Seen | None]:
        findings = Findings()
        seen = check_layer(layer, below, lambda entry, rule, found: findings.add("", rule, found, entry))
        return findings.checked(""), seen


def check(image: Image, layers: Layers, findings: Findings) -> Checked:
    """Return what is found of an image, beside what the reader of its documents has added to *findings*."""
    _check_types(image, findings)
    if image.config is not None:
        _check_config(image, image.config, findings)
    if not image.layers and image.config is not None:
        findings.add(image.name, "layers", "there is no layer")
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
        findings.add(image.name, "media-type", f"it is {brief(manifest.media_type)}, and called {brief(declared)}")
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
    """Add where a manifest's types are neither all OCI's nor all Docker's; one without a type goes by its config."""
    known = {*MANIFESTS, *CONFIGS, *LAYERS}
    first = next((each for each in (kind, manifest.config.media_type) if each in known), None)
    if first is None:
        return
    whose = first.startswith(OCI)
    places = {"the configuration": manifest.config, **{f"layers[{n}]": each for n, each in enumerate(manifest.layers)}}
    for what, each in places.items():
        if each.media_type in known and each.media_type.startswith(OCI) != whose:
            refused = (
                each is manifest.config
            ) == whose  # OCI's with Docker's configuration, Docker's with OCI's layers
            findings.add(name, "mixed" if refused else "mixed-taken", f"{what} is {each.media_type}, in {first}")


def _check_config(image: Image, config: Config, findings: Findings) -> None:
    where = f"{image.name}: config"
    if config.os != "windows":
        findings.add(where, "os", f"it is {brief(config.os)}")
    if config.architecture not in _ARCHITECTURES:
        findings.add(where, "architecture", f"it is {brief(config.architecture)}")
    _check_platform(where, image.platform, config, findings)
    if config.rootfs.type != "layers":
        findings.add(where, "rootfs", f"its type is {brief(config.rootfs.type)}")
    ids = config.rootfs.diff_ids or []
    if len(ids) != len(image.layers):
        findings.add(
            where,
            "rootfs",
            f"it has {counted(len(ids), 'diff ID')}, and the image {counted(len(image.layers), 'layer')}",
        )
    for at, each in enumerate(ids):
        if not DIGEST.fullmatch(each):
            findings.add(where, "rootfs", f"diff_ids[{at}] is {brief(each)}, which is no digest")
    if config.history:
        made = sum(not each.empty_layer for each in config.history)
        if made != len(image.layers):
            said = f"it tells of {counted(made, 'layer')}, and the image has {counted(len(image.layers), 'layer')}"
            findings.add(where, "history", said)


def _check_platform(where: str, platform: Platform | None, config: Config, findings: Findings) -> None:
    """Add where configuration and index differ; containerd goes by the index, which may leave the version out."""
    listed = platform or Platform()
    for version in dict.fromkeys(filter(None, (config.os_version, listed.os_version))):
        if not _VERSION.fullmatch(version):
            findings.add(where, "os-version", f"it is {brief(version)}")
    for key in ("os", "architecture"):
        own, other = getattr(config, key) or None, getattr(listed, key) or None
        if platform is not None and other != own:
            findings.add(where, "platform", f"{key} is {brief(own)}, and the index says {brief(other)}")
    if config.os_version and listed.os_version and listed.os_version != config.os_version:
        said = f"os.version is {brief(config.os_version)}, and the index says {brief(listed.os_version)}"
        findings.add(where, "platform-version", said)
