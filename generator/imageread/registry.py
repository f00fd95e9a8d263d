# SPDX-License-Identifier: Apache-2.0
"""Run skopeo, and fetch images from registries with it. It knows credentials and certificates."""

import contextlib
import math
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..base.errors import GeneratorError, brief, shorten
from ..base.process import Program, run
from ..base.settings import timeout
from ..oci.blob import sha256
from .documents import DIGEST, ContentDescriptor, Index, Manifest, read
from .found import passed_over
from .references import reference

_INSTALL = "install it (apt-get install skopeo, dnf install skopeo, brew install skopeo), or give oci:DIR"
_FETCHING = 3600  # seconds for an image of unknown size
_MAX_SAID = 1 << 22  # bytes of a manifest, as registries have it
_MAX_MANIFESTS = 200  # that a name may lead to, those of BuildKit's attestations included
_MAX_BLOBS = 500  # of a manifest
_MOST = 256 << 30  # bytes of all blobs, which is what check-image unpacks at most
_SLACK = 1 << 20  # bytes that skopeo writes beside what it fetches, and the blocks of a file system
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?")
# What skopeo says where a registry speaks HTTP alone: github.com/golang/go net/http, crypto/tls.
_PLAIN_HTTP = re.compile(r"server gave HTTP response to HTTPS client|does not look like a TLS handshake")
COPY = ("copy", "--quiet", "--all", "--preserve-digests")
_HINTS = (  # what a registry's answer, or skopeo's own trouble with the file of accounts, asks for
    (  # github.com/containers/image docker/docker_client.go, pkg/docker/config: before any registry is asked
        r"getting username and password|reading JSON file|unmarshaling JSON",
        "set REGISTRY_AUTH_FILE to a file that you can read; `skopeo login --authfile FILE {host}` writes one",
    ),
    (
        r"unauthorized|authentication required|denied|forbidden|(?<![:.\d])40[13]\b",
        "give `skopeo login {host}` an account that may do it",
    ),
    (r"too ?many ?requests|(?<![:.\d])429\b", "give the command again later"),
    (
        _PLAIN_HTTP.pattern,
        "{host} has no TLS; if you trust the network to it, put three lines into ~/.config/containers/registries.conf, "
        'or the one in /etc/containers: [[registry]] / location = "{host}" / insecure = true',
    ),
    (r"certificate|x509", "have {host}'s authority in /etc/containers/certs.d/{host}, or the system's"),
)
_HINT = "see that {host} is the right registry and answers, then give the command again"


class Skopeo(NamedTuple):
    """A skopeo and what it is to do: *seconds* to wait for, all of it by *end*, in the folder *work*, about *shown*."""

    program: str
    work: Path
    seconds: int
    shown: str
    host: str
    end: float = math.inf

    def run(self, *words: str, most: float = math.inf) -> tuple[bytes, str]:
        """Return its standard output, and nothing or the line that says what failed.

        Raises GeneratorError where it takes too long, or the folder holds more than *most* bytes. Whatever ends the
        wait, SIGTERM too, ends skopeo.
        """
        seconds = min(self.end - time.monotonic(), self.seconds)

        def watch() -> None:
            if most < math.inf and _size(self.work) > most:
                raise self.error(f"the registry sends more than the {most - _SLACK:,} bytes that its manifests tell of")

        hint = f"; hint: check that {self.host} answers, or set WINSCRATCH_TIMEOUT to wait longer"
        program = Program(
            [self.program, "--insecure-policy", *words], f"{self.shown}: skopeo", seconds, hint, cwd=self.work
        )
        ended = run(program, watch=watch)
        watch()
        if len(ended.out) > _MAX_SAID:
            raise self.error(f"the registry sends a manifest of more than {_MAX_SAID:,} bytes")
        problem = _told(ended.err[-(1 << 16) :]) or f"skopeo ended with {ended.status}"
        return ended.out, problem if ended.status else ""

    def ask(self, command: str, *words: str, side: str = "", most: float = math.inf) -> tuple[bytes, str, bool]:
        """Run a *command*; return its standard output, nothing or the line that says what failed, and whether in TLS.

        A registry on this machine, a copy's ``src`` or ``dest`` by *side*, may do without TLS, as Docker has it; it
        is asked in TLS first all the same. Any other may where skopeo's configuration says so.
        """
        out, told = self.run(command, *words, most=most)
        if _PLAIN_HTTP.search(told) and _LOOPBACK.fullmatch(self.host):
            return *self.run(command, *words, f"--{side}tls-verify=false", most=most), False
        return out, told, True

    def manifest(self, name: str) -> bytes:
        """Return the manifest or index of *name* as it is; raises GeneratorError."""
        raw, told, _ = self.ask("inspect", "--raw", f"docker://{name}")
        if told:
            raise self.error(told)
        return raw

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


def fetch(name: str, work: Path, *, windows: bool = False) -> None:
    """Copy an image called *name* from a registry to the folder *work*, unchanged, as ``dir:``; raise GeneratorError.

    Manifests come first, since they tell how much there is; no more than that is fetched. With *windows*, an index's
    images for other systems are left out.
    """
    found = reference(name, f"docker://{name}")
    seconds = timeout() or _FETCHING
    end = time.monotonic() + seconds
    skopeo = Skopeo(find(), work, seconds, f"docker://{name}", found.host or "docker.io", end)
    # By digest alone, where there is one: skopeo takes no tag beside it.
    raw = skopeo.manifest(f"{found.name}@{found.digest}" if found.digest else found.tagged)
    digest = sha256(raw)
    if found.digest not in {"", digest}:
        raise skopeo.error(f"the registry gives {digest} for it")
    declared = _declared(skopeo, found.name, raw, windows=windows)
    size, free = declared.size, shutil.disk_usage(work).free
    if size > min(_MOST, free):
        room = f"{free:,} are free in {work.parent}; see TMPDIR" if size > free else f"at most {_MOST:,} are fetched"
        raise GeneratorError(f"{skopeo.shown}: its blobs have {size:,} bytes, and {room}")
    most = size + _SLACK
    if not declared.partial:
        # By digest: else it could be another by now.
        _, told, _ = skopeo.ask(*COPY, f"docker://{found.name}@{digest}", "dir:.", side="src-", most=most)
        if not told:
            return
        if not declared.manifests:
            raise skopeo.error(told)
    for path in work.iterdir():
        path.unlink()
    _fetch_each(skopeo, found.name, declared, most)
    (work / "manifest.json").write_bytes(raw)


def _fetch_each(skopeo: Skopeo, name: str, declared: "_Declared", most: float) -> None:
    """Copy the images of an index one by one, since skopeo cannot copy an index unchanged if it has unknown fields."""
    work = skopeo.work
    for each in declared.images:
        (work / "image").mkdir()
        _, told, _ = skopeo.ask(*COPY, f"docker://{name}@{each}", "dir:image", side="src-", most=most)
        if told:
            raise skopeo.error(f"{each}: {told}")
        for path in (work / "image").iterdir():
            if path.name not in {"manifest.json", "version"}:
                path.replace(work / path.name)
        shutil.rmtree(work / "image")
    for each, data in declared.manifests.items():
        (work / f"{each.partition(':')[2]}.manifest.json").write_bytes(data)


class _Declared(NamedTuple):
    """What a manifest or index leads to: bytes of all of it, *manifests* by digest, and those that are *images*.

    *partial* is for an index of which something is left out.
    """

    size: int
    manifests: dict[str, bytes]
    images: list[str]
    partial: bool


def _declared(skopeo: Skopeo, name: str, raw: bytes, *, windows: bool) -> _Declared:
    """Return what the manifest or index *raw* leads to, by what it and its manifests say.

    Raises GeneratorError for what is damaged or leads to more than any image needs.
    """
    sizes = {"": len(raw)}
    manifests: dict[str, bytes] = {}
    images: list[str] = []
    todo, partial = [("", raw)], False
    while todo:
        digest, data = todo.pop()
        everything, blobs = _listed(skopeo, data)
        children = [each for each in everything if not passed_over(each, windows=windows)]
        partial |= len(children) < len(everything)
        if len(manifests) + len(todo) + len(children) > _MAX_MANIFESTS or len(blobs) > _MAX_BLOBS:
            raise GeneratorError(f"{skopeo.shown}: its manifests lead to more than any image needs")
        for each in (*children, *blobs):
            if each.size < 0 or not DIGEST.fullmatch(each.digest):
                raise GeneratorError(f"{skopeo.shown}: {brief(each.digest)} of {each.size:,} bytes is no descriptor")
        if blobs and digest:
            images.append(digest)
        fresh = dict.fromkeys(each.digest for each in children if each.digest not in sizes)
        sizes |= {each.digest: max(each.size, sizes.get(each.digest, 0)) for each in (*children, *blobs)}
        manifests |= {each: skopeo.manifest(f"{name}@{each}") for each in fresh}
        todo += [(each, manifests[each]) for each in fresh]
    return _Declared(sum(sizes.values()), manifests, images, partial)


def _listed(skopeo: Skopeo, raw: bytes) -> tuple[Sequence[ContentDescriptor], list[ContentDescriptor]]:
    """Return the manifests and the blobs that a manifest or an index names; raises GeneratorError."""
    try:
        index, _ = read(raw, Index)
        manifest, _ = read(raw, Manifest)
        if index.manifests or not manifest.config.digest:
            return index.manifests, []
    except ValueError as error:
        raise GeneratorError(f"{skopeo.shown}: no manifest: {error}") from error
    return [], [manifest.config, *manifest.layers]


def _size(folder: Path) -> int:
    """Return the bytes of the files in *folder*."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # renamed meanwhile
            size += path.lstat().st_size
    return size


def _told(log: bytes) -> str:
    """Return what the last line of skopeo's log says: github.com/sirupsen/logrus, its text form."""
    lines = log.decode("utf-8", "replace").strip().splitlines()
    found = re.search(r'msg="((?:[^"\\]|\\.)*)"', lines[-1]) if lines else None
    if found is None:
        return "".join(lines[-1:])
    return re.sub(r"\\(.)", lambda escape: " " if escape[1] in "nrt" else escape[1], found[1])
