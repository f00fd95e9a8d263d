# SPDX-License-Identifier: Apache-2.0
"""The hive builder run in a container of docker's or podman's, and the image that it runs in.

Nothing but the request and the response passes between it and the engine: no mounts, no network, no temporary files.
"""

import contextlib
import hashlib
import io
import os
import re
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..base.process import (
    ANSWER_SECONDS,
    BUILD_SECONDS,
    LATE,
    PROBE_SECONDS,
    RUN_SECONDS,
    Ended,
    EngineError,
    Line,
    run,
    telling_line,
    why_it_failed,
)
from ..hives.model import Hive
from .wire import BUILDER, ROOT, Built, exchange

Say = Callable[[str], None]

USER = "65534:65534"  # Debian's nobody:nogroup
PROBE = "/winscratch-probe"  # a program that no image has
DOCKERFILE = "Dockerfile.hivex"


@dataclass(frozen=True)
class ContainerEngine:
    """Runs the builder in a container; *name* is the program, docker or podman, whose options are the same.

    *run_seconds* and *build_seconds* limit a run and an image build, *memory* is the container's
    limit as the program spells it, *base* and *network* are for the image build (empty: as in
    Dockerfile.hivex, and the program's default), *source* is the checkout the image is made from.
    """

    name: str
    say: Say
    run_seconds: int = RUN_SECONDS
    build_seconds: int = BUILD_SECONDS
    base: str = ""
    network: str = ""
    memory: str = "512m"
    source: Path = ROOT

    def build(self, hives: Mapping[str, Hive]) -> Built:
        """Return *hives* as the builder makes them; raise EngineError when it does not."""
        return exchange(self.name, self.run, hives)

    def run(self, request: bytes) -> bytes:
        """Return the builder's response to *request*, both UTF-8 JSON; raise EngineError when there is none.

        The image is built first if there is none of these inputs. However this ends, by an error,
        the time limit, Ctrl-C, SIGTERM or SIGHUP, the container is gone afterwards.
        """
        done = self._run_container(self._image(), stdin=request, line=Line("building hives"))
        if done.status:
            raise EngineError(
                f"engine {self.name}: {why_it_failed(done.status, done.err, 'the container', self.memory)}"
            )
        return done.out

    def ask_image(self, program: str, *arguments: str) -> bytes:
        """Return what *program* of the builder's image writes, run as the builder is; raise EngineError if it fails."""
        done = self._run_container(self._image(), *arguments, entrypoint=program)
        if done.status:
            raise EngineError(f"engine {self.name}: {why_it_failed(done.status, done.err, program, self.memory)}")
        return done.out

    def version(self) -> str:
        """Return the version of the engine's daemon, or of podman itself, which has none."""
        asked = "{{.Server.Version}}" if self.name == "docker" else "{{.Client.Version}}"
        return self._ask("version", "--format", asked).out.decode(errors="replace").strip()

    def images(self) -> dict[str, str]:
        """Return the digest of the configuration of the builder's image and, where it is here, of its base image."""
        found = re.search(r"^ARG BASE=(\S+)$", (self.source / DOCKERFILE).read_text("utf-8"), re.MULTILINE)
        base = self.base or (found[1] if found else "")
        names = {name: self._ask("image", "inspect", "--format", "{{.Id}}", name) for name in (self._image(), base)}
        return {name: done.out.decode(errors="replace").strip() for name, done in names.items() if done.status == 0}

    def probe_docker(self, patience: float) -> str:
        """Return the version of docker's daemon; raise EngineError if none for Linux answers in *patience* seconds."""
        done = self._ask("version", "--format", "{{.Server.Version}} {{.Server.Os}}", seconds=patience)
        version, _, system = done.out.decode(errors="replace").strip().partition(" ")
        if done.status or not version:
            raise EngineError(f"no daemon answers ({telling_line(done.err) or 'docker version says nothing'})")
        if system == "windows":
            raise EngineError("its daemon runs Windows containers; switch it to Linux containers")
        return version

    def probe_podman(self) -> str:
        """Return podman's version; raise EngineError if it cannot run a container.

        podman answers questions where it can run nothing, for want of a right to set limits or of
        a control group. So it is made to run a program that is not there, in an empty image: it
        looks for the program last, and only a podman that could do all the rest misses it.
        """
        version = self._ask("version", "--format", "{{.Client.Version}}", seconds=PROBE_SECONDS)
        image = _random_name()
        imported = self._ask("import", "--quiet", "-", image, seconds=PROBE_SECONDS, stdin=_tar({}))
        if imported.status:
            raise EngineError(telling_line(imported.err) or "it cannot import an image")
        try:
            done = self._run_container(image, PROBE, seconds=PROBE_SECONDS)
        finally:
            self._ask("image", "rm", "--force", image, seconds=PROBE_SECONDS)
        if PROBE not in done.err.decode(errors="replace"):
            raise EngineError(f"it cannot run containers ({telling_line(done.err)})")
        return version.out.decode(errors="replace").strip()

    def _image(self) -> str:
        """Return the tag of the builder's image, built first unless there is one of the same inputs."""
        context = build_context(self.source)
        tag = image_tag(context, self.base)
        if self._ask("image", "inspect", "--format", "{{.Id}}", tag).status == 0:
            return tag
        self.say(f"building image {tag} (the first time takes about a minute)")
        done = run(
            [
                *(self.name, "build", "--force-rm", "--tag", tag),
                # Has the build's commands in podman's process group, see _stop().
                *(("--isolation=chroot",) if self.name == "podman" else ()),
                *(("--build-arg", f"BASE={self.base}") if self.base else ()),
                *((f"--network={self.network}",) if self.network else ()),
                "-",
            ],
            what=f"{self.name} build",
            seconds=self.build_seconds,
            hint=LATE,
            stdin=context,
            merge=True,
            line=Line("building image", show_output=True),
            gently=self.name == "podman",
        )
        if done.status:
            raise EngineError(
                f"engine {self.name}: the image cannot be built: {why_it_failed(done.status, done.out, 'build')}"
            )
        return tag

    def _run_container(
        self,
        image: str,
        *command: str,
        entrypoint: str = "",
        stdin: bytes = b"",
        seconds: int | None = None,
        line: "Line | None" = None,
    ) -> "Ended":
        """Run *image* in a container with no more rights than a filter needs; leave none behind, whatever happens."""
        container = _random_name()
        try:
            done = run(
                [
                    *(self.name, "run", "--rm", "--interactive", "--name", container),
                    *("--pull=never", "--log-driver=none"),  # the tag is local; the output is in the pipe
                    *("--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
                    *(f"--memory={self.memory}", f"--memory-swap={self.memory}", "--pids-limit=64", f"--user={USER}"),
                    *((f"--entrypoint={entrypoint}",) if entrypoint else ()),
                    *(image, *command),
                ],
                what=f"{self.name} run",
                seconds=seconds or self.run_seconds,
                hint="" if seconds else LATE,
                stdin=stdin,
                line=line,
            )
        except BaseException:
            # The client was killed, perhaps while the daemon was still at creating the container: look twice.
            self._remove(container, looks=2)
            raise
        if done.status:  # most likely gone by itself, unless it was the client that lost its daemon
            self._remove(container, looks=1)
        return done

    def _remove(self, container: str, looks: int) -> None:
        """Remove the container, running or not; tell the user if that fails."""
        with contextlib.suppress(EngineError):
            for look in range(looks):
                time.sleep(look / 2)
                done = self._ask("rm", "--force", container)
                if done.out:  # it names what it removed
                    return
            if done.status == 0 or b"o such container" in done.err:
                return
        self.say(f"the container {container} may be left behind; remove it with: {self.name} rm --force {container}")

    def _ask(self, *arguments: str, seconds: float | None = None, stdin: bytes = b"") -> "Ended":
        """Run a command that takes the program no work."""
        what = f"{self.name} {arguments[0]}"
        return run([self.name, *arguments], what=what, seconds=seconds or ANSWER_SECONDS, stdin=stdin)


def _random_name() -> str:
    return f"winscratch-{os.urandom(8).hex()}"


def build_context(source: Path = ROOT) -> bytes:
    """Return the image's build context as a tar: Dockerfile.hivex and the builder of the checkout *source*.

    Equal files give equal bytes, and so does a checkout with CRLF line ends. Raises EngineError
    when a file cannot be read.
    """
    try:
        names = [DOCKERFILE, *sorted(path.relative_to(source).as_posix() for path in (source / BUILDER).glob("*.py"))]
        files = {name: (source / name).read_bytes().replace(b"\r\n", b"\n") for name in names}
    except OSError as error:
        raise EngineError(f"{error.filename}: {error.strerror}; the image is built from it") from error
    # Under the name that docker and podman look for; with --file, podman prefers one in the current directory.
    files["Dockerfile"] = files.pop(DOCKERFILE)
    return _tar(files)


def image_tag(context: bytes, base: str = "") -> str:
    """Return the tag of the image that *context* and the base image's name make: a hash of these inputs."""
    digest = hashlib.sha256(base.encode() + b"\0" + context).hexdigest()
    return f"winscratch-hivex:{digest[:16]}"


def _tar(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of *files* whose bytes depend on their names and content alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
