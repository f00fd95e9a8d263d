# SPDX-License-Identifier: Apache-2.0
"""Parse image references, destinations and platforms of the command line, without access to the disk."""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from ..base.errors import GeneratorError, shorten

WINDOWS = os.name == "nt"
MAX_NAME = 4096  # characters of a name
DRIVE = r"[A-Za-z]:[\\/]"
# Names of images, by a simplified form of the grammar of github.com/distribution/reference.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_REFERENCE = re.compile(rf"((?:{_HOST}/)?{_PART}(?:/{_PART})*)(?::({_TAG}))?(?:@({_DIGEST}))?")
# The value of org.opencontainers.image.ref.name: OCI image specification, annotations.
_LAYOUT_NAME = re.compile(r"[A-Za-z0-9]+(?:[-._:@/+]+[A-Za-z0-9]+)*")
_PLATFORMS = (  # crane's and ko's spelling, then containerd's
    re.compile(r"windows/(?P<arch>[a-z0-9]+)(?::(?P<version>[0-9.]+))?"),
    re.compile(r"windows(?:\((?P<version>[0-9.]+)(?P<features>(?:\+[a-z0-9]+)*)\))?/(?P<arch>[a-z0-9]+)"),
)
_VERSION = re.compile(r"\d{1,5}(?:\.\d{1,5}){2,3}")  # such as 10.0.20348, or with a revision
ARCHITECTURES = ("amd64", "arm64")  # of Windows containers, in Go's spelling
TRANSPORTS = ("oci", "oci-archive", "docker-archive", "docker")


class Reference(NamedTuple):
    """A parsed image reference; *name* includes the host if the user gave one, but neither tag nor digest."""

    name: str
    tag: str
    digest: str = ""

    @property
    def host(self) -> str:
        """The registry's host and port; empty if the name has none, which means Docker Hub."""
        host, slash, _ = self.name.partition("/")
        return host if slash and (set(host) & set(".:") or host == "localhost") else ""

    @property
    def repository(self) -> str:
        """The path in the registry, with the ``library/`` that Docker Hub's names leave out."""
        return self.full.rpartition(":")[0].partition("/")[2]

    @property
    def tagged(self) -> str:
        """The name and the tag, by default ``latest``."""
        return f"{self.name}:{self.tag or 'latest'}"

    @property
    def full(self) -> str:
        """The name and the tag as containerd stores them, with the host that Docker leaves out."""
        return self.tagged if self.host else f"docker.io/{'' if '/' in self.name else 'library/'}{self.tagged}"


class Destination(NamedTuple):
    """A destination of an image, as in containers-transports(5).

    *path* is the folder or file, empty for a registry; *reference* is the image's name there, if any.
    """

    transport: str
    path: str
    reference: str

    def __str__(self) -> str:
        if self.transport == "docker":
            return f"docker://{self.reference}"
        return f"{self.transport}:{self.path}" + f":{self.reference}" * bool(self.reference)


class Platform(NamedTuple):
    """The platform of a Windows image; an empty *version* means any version."""

    architecture: str = "amd64"
    version: str = ""
    features: tuple[str, ...] = ()

    def __str__(self) -> str:
        version = f"({'+'.join((self.version, *self.features))})" if self.version else ""
        return f"windows{version}/{self.architecture}"


def destination(text: str, *, windows: bool = WINDOWS) -> Destination:
    """Parse a destination; raises GeneratorError with the fault."""
    shown = shorten(text, 200) or repr(text)
    transport, colon, rest = text.partition(":")
    if transport not in TRANSPORTS or not colon or not is_name(text):
        raise GeneratorError(
            f"--to {shown}: unknown transport; hint: oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:REF] "
            "or docker://REF"
        )
    if transport == "docker":
        if not rest.startswith("//"):
            raise GeneratorError(f"--to {shown}: // is missing; hint: docker://REF")
        reference(rest[2:], f"--to {shown}")
        return Destination(transport, "", rest[2:])
    start = 2 if windows and re.match(DRIVE, rest) else 0
    path, _, name = rest[start:].partition(":")
    path = rest[:start] + path
    if not path:
        raise GeneratorError(f"--to {shown}: the path is missing; hint: {transport}:PATH or {transport}:PATH:REF")
    if re.search(r"@sha256$", path):
        raise GeneratorError(f"--to {shown}: a destination has no digest; hint: {transport}:PATH[:REF]")
    if name and transport == "docker-archive":
        if reference(name, f"--to {shown}").digest:
            raise GeneratorError(f"--to {shown}: Docker's archives take no digest; hint: give NAME:TAG")
    elif name and not (_LAYOUT_NAME.fullmatch(name) and len(name) <= 255):
        raise GeneratorError(
            f"--to {shown}: invalid reference {name!r}; hint: letters and digits, with any of -._:@/+ between"
        )
    return Destination(transport, path, name)


def is_name(text: str) -> bool:
    """Return whether system calls accept *text* as a path: encodable, without NUL, and not too long."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return len(text) <= MAX_NAME and "\0" not in text


def reference(text: str, shown: str) -> Reference:
    """Parse a reference; raises GeneratorError with *shown* as the subject."""
    found = _REFERENCE.fullmatch(text) if len(text) <= MAX_NAME else None
    if found is None or len(found[1]) > 255:
        raise GeneratorError(
            f"{shown}: invalid reference; hint: give [HOST[:PORT]/]NAME[:TAG], the name in lower case, a digest as "
            "sha256: and 64 hexadecimal digits"
        )
    return Reference(found[1], found[2] or "", found[3] or "")


def check_hosts(hosts: Sequence[str]) -> None:
    """Raise GeneratorError if one of *hosts*, the values of ``--plain-http``, is not HOST[:PORT]."""
    if wrong := [each for each in hosts if not re.fullmatch(_HOST, each)]:
        raise GeneratorError(f"--plain-http {shorten(wrong[0])}: invalid registry; hint: give HOST[:PORT]")


def maybe_reference(text: str) -> Reference | None:
    """Parse a reference with a tag; return None for any other text, since image names in layouts are free text."""
    found = _REFERENCE.fullmatch(text)
    return Reference(found[1], found[2]) if found is not None and found[2] and not found[3] else None


def platform(text: str) -> Platform:
    """Parse a platform, ``windows/ARCH[:VERSION]`` or ``windows[(VERSION)]/ARCH``.

    Raises GeneratorError for other text, and for architectures without Windows containers.
    """
    found = next(filter(None, (each.fullmatch(text) for each in _PLATFORMS)), None)
    if found is None or found["arch"] not in ARCHITECTURES:
        raise GeneratorError(
            f"--platform {shorten(text) or repr(text)}: invalid platform; hint: windows/ARCH[:VERSION] or "
            f"windows(VERSION)/ARCH with ARCH {' or '.join(ARCHITECTURES)}, such as windows/amd64:10.0.20348"
        )
    version = found["version"] or ""
    if version and not _VERSION.fullmatch(version):
        raise GeneratorError(f"--platform {shorten(text)}: invalid version {version}; hint: 10.0.20348")
    features = found.groupdict().get("features") or ""
    return Platform(found["arch"], version, tuple(dict.fromkeys(features.split("+")[1:])))
