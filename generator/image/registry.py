# SPDX-License-Identifier: Apache-2.0
"""An image into a registry, and out of one.

The work is skopeo's, which knows credentials and certificates, and uploads blobs first.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from ..console import Say
from ..errors import GeneratorError, shorten
from ..oci.blob import sha256
from ..settings import timeout
from . import layout
from .assemble import Image
from .names import Reference, reference
from .progress import Progress

_INSTALL = "install it (apt-get install skopeo, dnf install skopeo, brew install skopeo), or give oci:DIR"
_SECONDS = 300  # to wait for a registry, and one more for each of these bytes, unless WINSCRATCH_TIMEOUT says otherwise
_BYTES = 1 << 20
_FETCHING = 3600  # seconds for an image of unknown size
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?")
# What skopeo says where a registry speaks HTTP alone: github.com/golang/go net/http, crypto/tls.
_PLAIN_HTTP = re.compile(r"server gave HTTP response to HTTPS client|does not look like a TLS handshake")
_HINTS = (  # what a registry's answer asks for
    (
        r"unauthorized|authentication required|denied|forbidden|(?<![:.\d])40[13]\b",
        "give `skopeo login {host}` an account that may do it",
    ),
    (r"too ?many ?requests|(?<![:.\d])429\b", "give the command again later"),
    (r"certificate|x509", "have {host}'s authority in /etc/containers/certs.d/{host}, or the system's"),
)
_HINT = "see that {host} is the right registry and answers, then give the command again"


class Skopeo(NamedTuple):
    """A skopeo and what it is to do: *seconds* to wait for, in the folder *work*, about *shown*."""

    program: str
    work: Path
    seconds: int
    shown: str
    host: str

    def run(self, *words: str) -> tuple[bytes, str]:
        """Return its standard output, and nothing or the line that says what failed; raises GeneratorError."""
        try:
            done = subprocess.run(
                [self.program, "--insecure-policy", *words],
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise GeneratorError(
                f"{self.shown}: {self.host} did not answer within {self.seconds} s; see that it is well, or set "
                "WINSCRATCH_TIMEOUT to wait longer"
            ) from error
        return done.stdout, "" if done.returncode == 0 else _told(done.stderr) or f"skopeo ended with {done.returncode}"

    def copy(self, *words: str, side: str) -> tuple[bool, str]:
        """Copy an image; return whether in TLS, and nothing or the line that says what failed.

        A registry on this machine, the copy's ``src`` or ``dest`` by *side*, may do without TLS, as Docker has it; it
        is asked in TLS first all the same. Any other may where skopeo's configuration says so.
        """
        command = ["copy", "--quiet", "--all", "--preserve-digests", *words]
        _, told = self.run(*command)
        if _PLAIN_HTTP.search(told) and _LOOPBACK.fullmatch(self.host):
            return False, self.run(*command, f"--{side}-tls-verify=false")[1]
        return True, told

    def error(self, told: str) -> GeneratorError:
        """Return the error for a user, who is *told* what skopeo said."""
        hint = next((hint for pattern, hint in _HINTS if re.search(pattern, told, re.IGNORECASE)), _HINT)
        return GeneratorError(f"{self.shown}: {shorten(told, 300)}; {hint.format(host=self.host)}")


def find() -> str:
    """Return the path of skopeo; raises GeneratorError with the command that installs it."""
    found = shutil.which("skopeo")
    if found is None:
        raise GeneratorError(f"for docker:// there must be skopeo, which is not here; {_INSTALL}")
    return found


def check(reference: Reference, image: Image | None = None) -> None:
    """Raise GeneratorError where *image*, once it is known, is not the one that *reference* has the digest of."""
    find()
    if image is not None and reference.digest and reference.digest != image.top.digest:
        raise GeneratorError(f"docker://{reference.name}@{reference.digest}: the image is {image.top.digest}")


def fetch(name: str, work: Path) -> None:
    """Copy what a registry has of *name* to the folder *work*, as ``dir:`` and unchanged; raises GeneratorError."""
    found = reference(name, f"docker://{name}")
    # By digest alone, where there is one: skopeo takes no tag beside it.
    source = f"docker://{found.name}@{found.digest}" if found.digest else f"docker://{found.tagged}"
    skopeo = Skopeo(find(), work, timeout() or _FETCHING, f"docker://{name}", found.host or "docker.io")
    _, told = skopeo.copy(source, "dir:.", side="src")
    if told:
        raise skopeo.error(told)


def push(image: Image, reference: Reference, work: Path, note: Say, progress: Progress) -> str:
    """Push *image*, and return its reference by digest; *work* is a folder of this run's own.

    Raises GeneratorError where it does not arrive as it is, and OSError.
    """
    check(reference, image)
    (work / "layout").mkdir()
    layout.add(work / "layout", image, "image", work, note)
    name = f"{reference.name}@{reference.digest}" if reference.digest and not reference.tag else reference.tagged
    size = sum(blob.size for blob in image.blobs.values())
    host = reference.host or "docker.io"
    skopeo = Skopeo(find(), work, timeout() or _SECONDS + size // _BYTES, f"docker://{name}", host)
    with progress(f"pushing to {host}", False):
        in_tls, told = skopeo.copy("oci:layout:image", f"docker://{name}", side="dest")
    if told:
        raise skopeo.error(told)
    raw, told = skopeo.run("inspect", "--raw", *([] if in_tls else ["--tls-verify=false"]), f"docker://{name}")
    if told:
        raise skopeo.error(told)
    if sha256(raw) != image.top.digest:
        raise GeneratorError(
            f"docker://{name}: the registry gives {sha256(raw)} for it, not {image.top.digest}, which was pushed; "
            "see what stands between"
        )
    return f"{reference.name}@{image.top.digest}"


def _told(stderr: bytes) -> str:
    """Return what the last line of skopeo's log says: github.com/sirupsen/logrus, its text form."""
    lines = stderr[-(1 << 16) :].decode("utf-8", "replace").strip().splitlines()
    found = re.search(r'msg="((?:[^"\\]|\\.)*)"', lines[-1]) if lines else None
    if found is None:
        return "".join(lines[-1:])
    return re.sub(r"\\(.)", lambda escape: " " if escape[1] in "nrt" else escape[1], found[1])
