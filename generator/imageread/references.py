# SPDX-License-Identifier: Apache-2.0
"""Parse image references, destinations and platforms as users spell them. Nothing here looks at the disk."""

import os
import re
from typing import NamedTuple

from ..base.errors import GeneratorError, shorten

WINDOWS = os.name == "nt"
MAX_NAME = 4096  # characters of a name; more is no name
DRIVE = r"[A-Za-z]:[\\/]"
# github.com/distribution/reference, in short: what registries and Docker take for the name of an image.
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
_VERSION = re.compile(r"\d{1,5}(?:\.\d{1,5}){2,3}")  # 10.0.20348, and a revision behind it if need be
ARCHITECTURES = ("amd64", "arm64")  # those that Windows has containers for, as Go calls them
TRANSPORTS = ("oci", "oci-archive", "docker-archive", "docker")


class Reference(NamedTuple):
    """The name of an image in a registry or in Docker: *name* with its host if it has one, and without its tag."""

    name: str
    tag: str
    digest: str = ""

    @property
    def host(self) -> str:
        """The registry, with its port; empty where the name has none, which is then Docker Hub's."""
        host, slash, _ = self.name.partition("/")
        return host if slash and (set(host) & set(".:") or host == "localhost") else ""

    @property
    def tagged(self) -> str:
        """The name and the tag, which is ``latest`` where none was given."""
        return f"{self.name}:{self.tag or 'latest'}"

    @property
    def full(self) -> str:
        """The name and the tag as containerd stores them, with the host that Docker leaves out."""
        return self.tagged if self.host else f"docker.io/{'' if '/' in self.name else 'library/'}{self.tagged}"


class Destination(NamedTuple):
    """Where an image goes, as containers-transports(5) has it.

    *path* is of the folder or file, and empty for a registry; *reference* is what follows it.
    """

    transport: str
    path: str
    reference: str

    def __str__(self) -> str:
        if self.transport == "docker":
            return f"docker://{self.reference}"
        return f"{self.transport}:{self.path}" + f":{self.reference}" * bool(self.reference)


class Platform(NamedTuple):
    """What an image says it runs on; Windows of any version where *version* is empty."""

    architecture: str = "amd64"
    version: str = ""
    features: tuple[str, ...] = ()

    def __str__(self) -> str:
        version = f"({'+'.join((self.version, *self.features))})" if self.version else ""
        return f"windows{version}/{self.architecture}"


def destination(text: str, *, windows: bool = WINDOWS) -> Destination:
    """Return the destination that *text* spells; raises GeneratorError that says what is wrong with it."""
    shown = shorten(text, 200)
    transport, colon, rest = text.partition(":")
    if transport not in TRANSPORTS or not colon or not is_name(text):
        raise GeneratorError(
            f"--to {shown}: no such transport; give oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:REF] "
            "or docker://REF"
        )
    if transport == "docker":
        if not rest.startswith("//"):
            raise GeneratorError(f"--to {shown}: a registry's image is spelled docker://REF")
        reference(rest[2:], f"--to {shown}")
        return Destination(transport, "", rest[2:])
    start = 2 if windows and re.match(DRIVE, rest) else 0
    path, _, name = rest[start:].partition(":")
    path = rest[:start] + path
    if not path:
        raise GeneratorError(f"--to {shown}: no path; give {transport}:PATH or {transport}:PATH:REF")
    if re.search(r"@sha256$", path):
        raise GeneratorError(f"--to {shown}: a digest is what comes of an image; give {transport}:PATH[:REF]")
    if name and transport == "docker-archive":
        if reference(name, f"--to {shown}").digest:
            raise GeneratorError(f"--to {shown}: Docker's archives take no digest; give NAME:TAG")
    elif name and not (_LAYOUT_NAME.fullmatch(name) and len(name) <= 255):
        raise GeneratorError(
            f"--to {shown}: the reference {name!r} is none; it is of letters and digits with any of -._:@/+ between"
        )
    return Destination(transport, path, name)


def is_name(text: str) -> bool:
    """Tell whether a file can be called *text*, as far as this system's calls are concerned."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return len(text) <= MAX_NAME and "\0" not in text


def reference(text: str, shown: str) -> Reference:
    """Return the reference that *text* spells; raises GeneratorError that names it *shown*."""
    found = _REFERENCE.fullmatch(text) if len(text) <= MAX_NAME else None
    if found is None or len(found[1]) > 255:
        raise GeneratorError(
            f"{shown}: the reference is none; give [HOST[:PORT]/]NAME[:TAG], the name in lower case, a digest as "
            "sha256: and 64 hexadecimal digits"
        )
    return Reference(found[1], found[2] or "", found[3] or "")


def maybe_reference(text: str) -> Reference | None:
    """Return the reference that *text* spells with a tag, or None where it is another word, as layouts may have."""
    found = _REFERENCE.fullmatch(text)
    return Reference(found[1], found[2]) if found is not None and found[2] and not found[3] else None


def platform(text: str) -> Platform:
    """Return the platform that *text* spells as ``windows/ARCH[:VERSION]`` or ``windows[(VERSION)]/ARCH``.

    Raises GeneratorError for anything else, and for what Windows has no containers for.
    """
    found = next(filter(None, (each.fullmatch(text) for each in _PLATFORMS)), None)
    if found is None or found["arch"] not in ARCHITECTURES:
        raise GeneratorError(
            f"--platform {shorten(text)}: no platform; give windows/ARCH[:VERSION] or windows(VERSION)/ARCH, where "
            f"ARCH is {' or '.join(ARCHITECTURES)}, as in windows/amd64:10.0.20348"
        )
    version = found["version"] or ""
    if version and not _VERSION.fullmatch(version):
        raise GeneratorError(f"--platform {shorten(text)}: the version {version} is none; give one as 10.0.20348")
    features = found.groupdict().get("features") or ""
    return Platform(found["arch"], version, tuple(dict.fromkeys(features.split("+")[1:])))
