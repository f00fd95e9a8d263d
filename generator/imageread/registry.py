# SPDX-License-Identifier: Apache-2.0
"""Fetch images from registries by running skopeo, which handles credentials and certificates."""

import contextlib
import math
import re
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..base.errors import GeneratorError, brief, shorten
from ..base.process import ProcessSpec, bytes_read, run
from ..base.settings import timeout
from ..oci.blob import sha256
from .documents import DIGEST, Index, Manifest, read
from .found import flat_name, passed_over
from .references import Reference, reference

_INSTALL = "apt-get install skopeo, dnf install skopeo or brew install skopeo, or give oci:DIR"
_FETCHING = 3600  # seconds to fetch an image, whose size is unknown at first
_MAX_OUTPUT = 1 << 22  # bytes of a manifest, registries' limit
_MAX_MANIFESTS = 200  # manifests of one name, those of BuildKit's attestations included
_MAX_BLOBS = 500  # blobs of one manifest
_MOST = 256 << 30  # bytes of all blobs, the limit of check-image
_SLACK = 1 << 20  # bytes that skopeo writes besides blobs, and file system blocks
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?")
# Errors of skopeo if a registry has no TLS: github.com/golang/go net/http, crypto/tls.
_PLAIN_HTTP = re.compile(r"server gave HTTP response to HTTPS client|does not look like a TLS handshake")
_NO_TLS = (
    "{host} has no TLS; if you trust the network to it, put three lines into ~/.config/containers/registries.conf, "
    'or the one in /etc/containers: [[registry]] / location = "{host}" / insecure = true'
)
COPY = ("copy", "--quiet", "--all", "--preserve-digests")
# Errors after which the same command may succeed: the status 5xx, as github.com/containers/image spells it, and "digest
# invalid": github.com/distribution/distribution 2 on a file system truncates a link that it writes again, and a push of
# the same blob at that moment reads an empty digest.
_TRANSIENT = re.compile(
    r"(?:HTTP status:|status code from registry|destination repository \S+:) 5\d\d\b|\bdigest invalid\b"
)
_PAUSES = (0.5, 2)  # seconds before the second and the third attempt
# If a registry rejects an index, skopeo tries another media type, fails because it may not convert, and reports only
# this: github.com/containers/image copy/multiple.go. The reason is in its debug log.
_REJECTED = re.compile(r"Upload of manifest list type \S+ failed: ")
_HINTS = (  # by patterns of errors from registries and about skopeo's credentials file
    (  # raised before any request: github.com/containers/image docker/docker_client.go, pkg/docker/config
        r"getting username and password|reading JSON file|unmarshaling JSON",
        "set REGISTRY_AUTH_FILE to a file that you can read; `skopeo login --authfile FILE {host}` writes one",
    ),
    (
        r"unauthorized|authentication required|denied|forbidden|(?<![:.\d])40[13]\b",
        "log in to an account with that permission: skopeo login {host}",
    ),
    (
        r"manifest unknown",
        "{host} has no such image; check the name and the tag, which `skopeo list-tags docker://NAME` lists",
    ),
    (r"too ?many ?requests|(?<![:.\d])429\b", "try again later"),
    (_PLAIN_HTTP.pattern, _NO_TLS),
    # Go, crypto/x509 verify.go: HostnameError, CertificateInvalidError
    (r"certificate is (not )?valid for|validate certificate for|legacy Common Name", "use a name in the certificate"),
    (r"expired or is not yet valid", "renew the certificate of {host}, or set this machine's clock"),
    (r"certificate|x509", "put the certificate of {host}'s authority into /etc/containers/certs.d/{host}"),
)
# A registry's answer for a manifest or repository that it does not have: OCI distribution specification, error codes.
_NOT_FOUND = re.compile(r"manifest unknown|name unknown|(?<![:.\d])404\b", re.IGNORECASE)
_HINT = "check that {host} is the right registry and answers, then try again"


class NotFoundError(GeneratorError):
    """A registry has no such manifest."""


class Skopeo(NamedTuple):
    """Runs skopeo in the folder *work*, each run for at most *seconds*, and none beyond *end* (time.monotonic()).

    *shown* is the subject of errors. *plain* lists the hosts that may be used without TLS besides this machine; None
    if the command has no such option. *tell* is called with the number of bytes that skopeo has read so far. *secure*
    is false for a registry that is known to lack TLS.
    """

    program: str
    work: Path
    seconds: int
    shown: str
    host: str
    end: float = math.inf
    plain: Sequence[str] | None = None
    tell: Callable[[int], None] = lambda _: None
    secure: bool = True

    def run(self, *words: str, most: float = math.inf) -> tuple[bytes, str]:
        """Run skopeo; return its standard output and its error message, which is empty on success.

        Transient errors of the registry are retried. Raises GeneratorError if a run takes too long, or if the folder
        exceeds *most* bytes. A signal that ends this process, such as SIGTERM, also ends skopeo.
        """
        out, error = self._run_once(*words, most=most)
        for pause in _PAUSES:
            if not _TRANSIENT.search(error) or time.monotonic() + pause >= self.end:
                break
            time.sleep(pause)
            out, error = self._run_once(*words, most=most)
        return out, error

    def _run_once(self, *words: str, most: float) -> tuple[bytes, str]:
        seconds = min(self.end - time.monotonic(), self.seconds)

        def check() -> None:
            if most < math.inf and folder_size(self.work) > most:
                raise self.error(f"the registry sends more than the {most - _SLACK:,} bytes listed in its manifests")

        def watch(process: int) -> None:
            if read := bytes_read(process):  # else it has ended
                self.tell(read)
            check()

        hint = f"; hint: check that {self.host} answers, or set WINSCRATCH_TIMEOUT to wait longer"
        program = ProcessSpec(
            [self.program, "--insecure-policy", *words], f"{self.shown}: skopeo", seconds, hint, cwd=self.work
        )
        ended = run(program, watch=watch)
        check()
        if len(ended.out) > _MAX_OUTPUT:
            raise self.error(f"the registry sends a manifest of more than {_MAX_OUTPUT:,} bytes")
        problem = _last_error(ended.err[-(1 << 16) :]) or f"skopeo ended with {ended.status}"
        return ended.out, problem if ended.status else ""

    def ask(self, command: str, *words: str, side: str = "", most: float = math.inf) -> tuple[bytes, str, bool]:
        """Run *command*, with TLS if possible; return its standard output, its error message, and whether TLS was used.

        It is run again without TLS only if the registry answers in plain HTTP and may_lack_tls is true. *side* selects
        skopeo's option: ``src-`` or ``dest-`` if a copy reads from or writes to the registry. skopeo's configuration
        may allow plain HTTP for further registries.
        """
        if self.secure:
            out, error = self.run(command, *words, most=most)
            if not (_PLAIN_HTTP.search(error) and self.may_lack_tls):
                return out, error, True
        return *self.run(command, *words, f"--{side}tls-verify=false", most=most), False

    @property
    def may_lack_tls(self) -> bool:
        """Whether the registry may be used without TLS: it is on this machine, as in Docker, or in *plain*."""
        return bool(_LOOPBACK.fullmatch(self.host)) or self.host in (self.plain or ())

    def top(self, found: Reference) -> tuple[bytes, "Skopeo"]:
        """Return the manifest or index of *found*, and this with what is known of TLS; raises GeneratorError."""
        # skopeo refuses a tag together with a digest, so the digest replaces the tag.
        name = f"{found.name}@{found.digest}" if found.digest else found.tagged
        raw, error, secure = self.ask("inspect", "--raw", f"docker://{name}")
        if error:
            raise self.error(error)
        if found.digest not in {"", sha256(raw)}:
            raise self.error(f"the registry returns {sha256(raw)} for it")
        return raw, self._replace(secure=secure)

    def document(self, name: str, *options: str) -> bytes:
        """Return the manifest or index of *name*, or its configuration, unchanged; raises GeneratorError."""
        raw, error, _ = self.ask("inspect", "--raw", *options, f"docker://{name}")
        if error:
            raise self.error(error)
        return raw

    def parsed(self, raw: bytes) -> tuple[Index | None, Manifest]:
        """Return the index *raw*, None for a manifest, and the manifest *raw*; raises GeneratorError."""
        try:
            index, _ = read(raw, Index)
            manifest, _ = read(raw, Manifest)
        except ValueError as error:
            raise GeneratorError(f"{self.shown}: invalid manifest: {error}") from error
        return (index if index.manifests or not manifest.config.digest else None), manifest

    def error(self, reason: str) -> GeneratorError:
        """Return the error to raise for skopeo's error message *reason*, with a hint."""
        hint = next((hint for pattern, hint in _HINTS if re.search(pattern, reason, re.IGNORECASE)), _HINT)
        if hint == _NO_TLS and self.plain is not None:
            hint = "{host} has no TLS; if you trust the network to it, give --plain-http {host}"
        kind = NotFoundError if _NOT_FOUND.search(reason) else GeneratorError
        return kind(f"{self.shown}: {shorten(reason, 300)}; hint: {hint.format(host=self.host)}")


def find() -> str:
    """Return the path of skopeo; raises GeneratorError with the command that installs it."""
    found = shutil.which("skopeo")
    if found is None:
        raise GeneratorError(f"docker://: skopeo is not installed; hint: {_INSTALL}")
    return found


def fetch(name: str, work: Path, *, windows: bool = False, plain: Sequence[str] | None = None) -> None:
    """Copy the image *name* unchanged from a registry to the folder *work*, in ``dir:`` format; raises GeneratorError.

    Manifests are fetched first; only blobs listed in them are downloaded, up to the listed size. With *windows*,
    images of other systems than Windows are left out of an index.
    """
    found = reference(name, f"docker://{name}")
    seconds = timeout() or _FETCHING
    end = time.monotonic() + seconds
    unknown = Skopeo(find(), work, seconds, f"docker://{name}", found.host or "docker.io", end, plain)
    raw, skopeo = unknown.top(found)
    size, manifests, images, partial = _declared(skopeo, found.name, raw, windows=windows)
    free = shutil.disk_usage(work).free
    if size > min(_MOST, free):
        room = f"{free:,} are free in {work.parent}; hint: set TMPDIR" if size > free else f"the limit is {_MOST:,}"
        raise GeneratorError(f"{skopeo.shown}: its blobs have {size:,} bytes, and {room}")
    most = size + _SLACK
    if not partial:
        # By digest, since the tag could have moved.
        _, error, _ = skopeo.ask(*COPY, f"docker://{found.name}@{sha256(raw)}", "dir:.", side="src-", most=most)
        if not error:
            return
        if not manifests:
            raise skopeo.error(error)
    for path in work.iterdir():
        path.unlink()
    for each in images:
        _fetch_image(skopeo, f"{found.name}@{each}", most)
    for each, data in manifests.items():
        (work / f"{flat_name(each)}.manifest.json").write_bytes(data)
    (work / "manifest.json").write_bytes(raw)


def _fetch_image(skopeo: Skopeo, name: str, most: float) -> None:
    """Copy an image of an index alone, since skopeo cannot copy an index unchanged if it has unknown fields."""
    made = skopeo.work / "image"
    made.mkdir()
    _, error, _ = skopeo.ask(*COPY, f"docker://{name}", "dir:image", side="src-", most=most)
    if error:
        raise skopeo.error(f"{name.partition('@')[2]}: {error}")
    for path in made.iterdir():
        if path.name not in {"manifest.json", "version"}:
            path.replace(skopeo.work / path.name)
    shutil.rmtree(made)


def _declared(skopeo: Skopeo, name: str, raw: bytes, *, windows: bool) -> tuple[int, dict[str, bytes], list[str], bool]:
    """Return what is listed in the manifest or index *raw*, and in the manifests that it lists.

    That is the size in bytes of all blobs together, the manifests by digest, the digests of those of images, and
    whether entries of an index are skipped. Raises GeneratorError if a document is damaged, or lists too many blobs.
    """
    sizes = {"": len(raw)}
    manifests: dict[str, bytes] = {}
    images: list[str] = []
    todo, partial = [("", raw)], False
    while todo:
        digest, data = todo.pop()
        index, manifest = skopeo.parsed(data)
        everything, blobs = (index.manifests, []) if index else ([], [manifest.config, *manifest.layers])
        children = [each for each in everything if not passed_over(each, windows=windows)]
        partial |= len(children) < len(everything)
        if len(manifests) + len(todo) + len(children) > _MAX_MANIFESTS or len(blobs) > _MAX_BLOBS:
            raise GeneratorError(f"{skopeo.shown}: its manifests list too many manifests or blobs")
        for each in (*children, *blobs):
            if each.size < 0 or not DIGEST.fullmatch(each.digest):
                raise GeneratorError(f"{skopeo.shown}: invalid descriptor: {brief(each.digest)} of {each.size:,} bytes")
        if blobs and digest:
            images.append(digest)
        fresh = dict.fromkeys(each.digest for each in children if each.digest not in sizes)
        sizes |= {each.digest: max(each.size, sizes.get(each.digest, 0)) for each in (*children, *blobs)}
        manifests |= {each: skopeo.document(f"{name}@{each}") for each in fresh}
        todo += [(each, manifests[each]) for each in fresh]
    return sum(sizes.values()), manifests, images, partial


def folder_size(folder: Path) -> int:
    """Return the bytes of the files in *folder*."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # renamed in the meantime
            size += path.lstat().st_size
    return size


def _last_error(log: bytes) -> str:
    """Return the message of the last error in skopeo's log, in the text format of github.com/sirupsen/logrus."""
    lines = log.decode("utf-8", "replace").strip().splitlines()
    errors = [line for line in lines if " level=debug " not in line]
    if errors and "Manifest list must be converted" in errors[-1]:
        errors += [line for line in lines if _REJECTED.search(line)]
    found = re.search(r'msg="((?:[^"\\]|\\.)*)"', errors[-1]) if errors else None
    if found is None:
        return "".join(errors[-1:])
    message = re.sub(r"\\(.)", lambda escape: " " if escape[1] in "nrt" else escape[1], found[1])
    return _REJECTED.sub("", message, count=1)
