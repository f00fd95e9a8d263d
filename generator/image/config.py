# SPDX-License-Identifier: Apache-2.0
"""The JSON documents of an image: configuration, manifest and index of the OCI image specification 1.1.

Docker reads the same configuration; of the fields that only Docker defines, Healthcheck and Shell can be set.
"""

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..base.errors import GeneratorError, shorten
from ..imageread.references import Platform
from ..oci.blob import sha256
from ..runtime import paths
from . import healthcheck, inherit
from .base import Base
from .model import LayerBlob
from .options import Options
from .sources import place

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
TITLE = "org.opencontainers.image.title"
_SIGNAL = re.compile(r"[0-9]{1,3}|[A-Z][A-Z0-9]{1,9}(?:[-+][0-9]{1,2})?")
_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?")

Json = dict[str, Any]


class Document(NamedTuple):
    """A JSON document, stored as a blob, and its media type."""

    data: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """Its SHA-256, as ``sha256:`` and hexadecimal digits."""
        return sha256(self.data)

    @property
    def descriptor(self) -> Json:
        """Its descriptor for an index or a manifest."""
        return descriptor(self.media_type, self.digest, len(self.data))


def descriptor(media_type: str, digest: str, size: int) -> Json:
    """Return the OCI descriptor of a blob of *size* bytes."""
    return {"mediaType": media_type, "digest": digest, "size": size}


def document(content: Mapping[str, Any], media_type: str) -> Document:
    """Return *content* as a document; its bytes depend on the content only."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    try:
        return Document(text.encode("utf-8"), media_type)
    except UnicodeEncodeError as error:
        wrong = error.object[error.start : error.end]
        raise GeneratorError(f"the image's configuration: {wrong!r} invalid Unicode; hint: leave it out") from error


def configured(base: Base, options: Options, layers: Sequence[tuple[LayerBlob, str]], time: int) -> Document:
    """Return the configuration of an image on *base*; *layers*, those on top, and *time* are as in configuration()."""
    return _on(base.config, inherit.settings(base.config.get("config") or {}, running(options)), layers, time)


def configuration(options: Options, platform: Platform, layers: Sequence[tuple[LayerBlob, str]], time: int) -> Document:
    """Return the configuration of an image of *layers*, each with its text in the history, made at *time*."""
    return _on({"created": timestamp(time)} | _platform(platform), running(options), layers, time)


def _on(base: Mapping[str, Any], config: Json, layers: Sequence[tuple[LayerBlob, str]], time: int) -> Document:
    above = [(blob.diff_id, said) for blob, said in layers]
    return document(inherit.configuration(base, config, above, timestamp(time)), CONFIG)


def manifest(config: Document, layers: Sequence[LayerBlob], annotations: Mapping[str, str]) -> Document:
    """Return the manifest of an image."""
    content: Json = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor}
    content["layers"] = [descriptor(blob.media_type, blob.digest, blob.size) | dict(blob.fields) for blob in layers]
    return document(_annotated(content, annotations), MANIFEST)


def index(manifests: Sequence[tuple[Document, Platform]], annotations: Mapping[str, str]) -> Document:
    """Return the index of one image for several platforms."""
    content: Json = {"schemaVersion": 2, "mediaType": INDEX}
    content["manifests"] = [each.descriptor | {"platform": _platform(platform)} for each, platform in manifests]
    return document(_annotated(content, annotations), INDEX)


def running(options: Options) -> Json:
    """Return the ``config`` object of an image's configuration; raises GeneratorError."""
    env = _variables(options.env)
    found: Json = {
        "User": options.user,
        "ExposedPorts": {port(text): {} for text in options.expose},
        "Env": [f"{name}={value}" for name, value in env.items()],
        "Entrypoint": list(options.entrypoint),
        "Cmd": list(options.cmd),
        "WorkingDir": folder(options.workdir) if options.workdir else "",
        "Labels": _named("label", options.label),
        "Volumes": {folder(text, "--volume"): {} for text in options.volume},
        "StopSignal": _signal(options.stop_signal),
        "Healthcheck": healthcheck.parse(options.healthcheck) if options.healthcheck else None,
        "Shell": list(options.shell),
    }
    return {key: value for key, value in found.items() if value}


def port(text: str) -> str:
    """Return a port with its protocol, ``80/tcp``; raises GeneratorError."""
    found = _PORT.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= 65535:
        raise GeneratorError(f"--expose {shorten(text)}: invalid port; hint: 1 to 65535, and /tcp, /udp or /sctp")
    return f"{int(found[1])}/{found[2] or 'tcp'}"


def folder(text: str, option: str = "--workdir") -> str:
    r"""Return a directory as Windows spells it: ``C:\app`` for ``/app`` and ``app``; raises GeneratorError.

    A directory below ``%CONTAINER_SANDBOX_MOUNT_POINT%`` keeps that prefix.
    """
    path = paths.parse(text)
    if path.anchor == "mount":
        return paths.mounted(place(path.inside, option))
    if re.match(r"[A-Za-z]:[^\\/]", text):
        raise GeneratorError(rf"{option} {shorten(text)}: no \ after the drive; hint: a path such as C:\app")
    return "C:\\" + place(text, option).replace("/", "\\")


def _signal(text: str) -> str:
    if text and not _SIGNAL.fullmatch(text):
        raise GeneratorError(f"--stop-signal {shorten(text)}: invalid signal; hint: a name or number, such as SIGTERM")
    return text


def timestamp(seconds: int) -> str:
    """Return a time in seconds since 1970 as RFC 3339."""
    time = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=seconds)
    return time.strftime(f"{time.year:04}-%m-%dT%H:%M:%SZ")


def annotations(options: Options, base: Mapping[str, str]) -> dict[str, str]:
    """Return an image's annotations: its title, *base*, which names the base image, and the user's."""
    program = next(iter((*options.entrypoint, *options.cmd)), "")
    title = re.split(r"[\\/]", program)[-1] if options.source else f"winscratch {options.layer}"
    known = {TITLE: title} if title and (options.source or not options.base) else {}
    return {**known, **base, **_named("annotation", options.annotation)}


def _platform(platform: Platform) -> Json:
    found: Json = {"architecture": platform.architecture, "os": "windows"}
    if platform.version:
        found["os.version"] = platform.version
    if platform.features:
        found["os.features"] = list(platform.features)
    return found


def _annotated(content: Json, annotations: Mapping[str, str]) -> Json:
    return content | {"annotations": dict(annotations)} if annotations else content


def _variables(env: Mapping[str, str]) -> Mapping[str, str]:
    """Return *env*; raises GeneratorError for invalid names and names that differ by case only."""
    seen: dict[str, str] = {}
    for name in _named("env", env):
        if "=" in name or "\0" in name + env[name]:
            raise GeneratorError(f"--env {shorten(name)}: invalid name or value; hint: leave out = and zero bytes")
        if seen.setdefault(name.upper(), name) != name:
            raise GeneratorError(
                f"--env {shorten(name)}: on Windows the same variable as {seen[name.upper()]}; hint: leave one out"
            )
    return env


def _named(option: str, pairs: Mapping[str, str]) -> Mapping[str, str]:
    if "" in pairs:
        raise GeneratorError(f"--{option}: a name is empty; hint: --{option} NAME=VALUE")
    return pairs
