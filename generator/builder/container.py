# SPDX-License-Identifier: Apache-2.0
"""Run the hive builder in a container with docker or podman, and build its image.

Only the request and the response pass between them: no mounts, no network, no temporary files.
"""

import contextlib
import hashlib
import io
import os
import re
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..base import process
from ..base.console import Say
from ..base.process import Ended, EngineError, ProcessSpec, ProgressLine, error_line, run, why_it_failed
from ..hives.model import Hive
from .wire import BUILDER, ROOT, Built, exchange

USER = "65534:65534"  # Debian's nobody:nogroup
PROBE = "/winscratch-probe"  # a program that no image has
DOCKERFILE = "Dockerfile.hivex"


@dataclass(frozen=True)
class ContainerEngine:
    """Run the builder in a container; *name* is the program, docker or podman, which share their options.

    *run_seconds* and *build_seconds* limit a run and an image build, *memory* limits the container, in the program's
    spelling. *base* and *network* are for the image build (empty: Dockerfile.hivex's base, the program's default
    network). *source* is the checkout that the image is built from.
    """

    name: str
    say: Say
    run_seconds: int = process.RUN_SECONDS
    build_seconds: int = process.BUILD_SECONDS
    base: str = ""
    network: str = ""
    memory: str = "512m"
    source: Path = ROOT

    def build(self, hives: Mapping[str, Hive]) -> Built:
        """Return *hives* as built; raises EngineError."""
        return exchange(self.name, self.run, hives)

    def run(self, request: bytes) -> bytes:
        """Return the builder's response to *request*, both UTF-8 JSON; raises EngineError.

        The image is built first if it is missing. The container is removed however this ends: by an error, the time
        limit, Ctrl-C, SIGTERM or SIGHUP.
        """
        done = self._run_container(self._image(), stdin=request, line=ProgressLine("building hives"))
        return self._output(done, "the container")

    def ask_image(self, program: str, *arguments: str) -> bytes:
        """Run *program* of the builder's image like the builder and return its output; raises EngineError."""
        done = self._run_container(self._image(), *arguments, entrypoint=program)
        return self._output(done, program)

    def _output(self, done: Ended, what: str) -> bytes:
        """Return what a container wrote to standard output; raise EngineError, which names *what*, if it failed."""
        if done.status:
            raise EngineError(f"engine {self.name}: {why_it_failed(done.status, done.err, what, self.memory)}")
        return done.out

    def version(self) -> str:
        """Return the version of docker's daemon or of podman, which has no daemon."""
        asked = "{{.Server.Version}}" if self.name == "docker" else "{{.Client.Version}}"
        return self._ask("version", "--format", asked).out.decode(errors="replace").strip()

    def images(self) -> dict[str, str]:
        """Return the config digests of the builder's image and, if present, of its base image, by name."""
        found = re.search(r"^ARG BASE=(\S+)$", (self.source / DOCKERFILE).read_text("utf-8"), re.MULTILINE)
        base = self.base or (found[1] if found else "")
        names = {name: self._ask("image", "inspect", "--format", "{{.Id}}", name) for name in (self._image(), base)}
        return {name: done.out.decode(errors="replace").strip() for name, done in names.items() if done.status == 0}

    def probe_docker(self, patience: float) -> str:
        """Return the version of docker's daemon; raise EngineError if none for Linux answers in *patience* seconds."""
        done = self._ask("version", "--format", "{{.Server.Version}} {{.Server.Os}}", seconds=patience)
        version, _, system = done.out.decode(errors="replace").strip().partition(" ")
        if done.status or not version:
            reason = error_line(done.err) or "docker version prints nothing"
            raise EngineError(f"{self.name}: no daemon answers ({reason})")
        if system == "windows":
            raise EngineError(f"{self.name}: the daemon runs Windows containers, not Linux containers")
        return version

    def probe_podman(self) -> str:
        """Return podman's version; raise EngineError if it cannot run a container.

        podman answers questions even if it cannot run containers, for lack of privileges or control groups. So run a
        missing program in an empty image: podman looks for the program last, after all other steps worked.
        """
        version = self._ask("version", "--format", "{{.Client.Version}}", seconds=process.PROBE_SECONDS)
        image = _random_name()
        imported = self._ask("import", "--quiet", "-", image, seconds=process.PROBE_SECONDS, stdin=_tar({}))
        if imported.status:
            raise EngineError(f"{self.name}: {error_line(imported.err) or 'cannot import an image'}")
        try:
            done = self._run_container(image, PROBE, seconds=process.PROBE_SECONDS)
        finally:
            self._ask("image", "rm", "--force", image, seconds=process.PROBE_SECONDS)
        if PROBE not in done.err.decode(errors="replace"):
            raise EngineError(f"{self.name}: cannot run containers ({error_line(done.err)})")
        return version.out.decode(errors="replace").strip()

    def _image(self) -> str:
        """Return the tag of the builder's image; build it first if it is missing."""
        context = build_context(self.source)
        tag = image_tag(context, self.base)
        if self._ask("image", "inspect", "--format", "{{.Id}}", tag).status == 0:
            return tag
        self.say(f"building image {tag} (the first time takes about a minute)")
        program = ProcessSpec(
            [
                *(self.name, "build", "--force-rm", "--tag", tag),
                # Keeps the build's commands in podman's process group, see process._stop().
                *(("--isolation=chroot",) if self.name == "podman" else ()),
                *(("--build-arg", f"BASE={self.base}") if self.base else ()),
                *((f"--network={self.network}",) if self.network else ()),
                "-",
            ],
            what=f"{self.name} build",
            seconds=self.build_seconds,
            hint=process.LATE,
            merge=True,
            gently=self.name == "podman",
        )
        done = run(program, context, ProgressLine("building image", show_output=True))
        if done.status:
            reason = why_it_failed(done.status, done.out, "build")
            raise EngineError(f"engine {self.name}: the image cannot be built: {reason}")
        return tag

    def _run_container(
        self,
        image: str,
        *command: str,
        entrypoint: str = "",
        stdin: bytes = b"",
        seconds: int | None = None,
        line: ProgressLine | None = None,
    ) -> Ended:
        """Run *image* in a container without privileges; remove the container however this ends."""
        container = _random_name()
        try:
            program = ProcessSpec(
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
                hint="" if seconds else process.LATE,
            )
            done = run(program, stdin, line)
        except BaseException:
            # The client was killed, perhaps before the daemon had created the container: try twice.
            self._remove(container, looks=2)
            raise
        if done.status:  # --rm removed it, unless the client lost its daemon
            self._remove(container, looks=1)
        return done

    def _remove(self, container: str, looks: int) -> None:
        """Remove the container, running or not, in up to *looks* attempts; warn if that fails."""
        with contextlib.suppress(EngineError):
            for look in range(looks):
                time.sleep(look / 2)
                done = self._ask("rm", "--force", container)
                if done.out:  # the name of the removed container
                    return
            if done.status == 0 or b"o such container" in done.err:
                return
        self.say(f"container {container}: may be left behind; hint: {self.name} rm --force {container}")

    def _ask(self, *arguments: str, seconds: float | None = None, stdin: bytes = b"") -> Ended:
        """Run a quick command of the program."""
        what = f"{self.name} {arguments[0]}"
        return run(ProcessSpec([self.name, *arguments], what, seconds or process.ANSWER_SECONDS), stdin)


def _random_name() -> str:
    return f"winscratch-{os.urandom(8).hex()}"


def build_context(source: Path = ROOT) -> bytes:
    """Return the image's build context as a tar: Dockerfile.hivex and the builder of the checkout *source*.

    Equal files, CRLF line ends or not, give equal bytes. Raises EngineError if a file cannot be read.
    """
    try:
        names = [DOCKERFILE, *sorted(path.relative_to(source).as_posix() for path in (source / BUILDER).glob("*.py"))]
        files = {name: (source / name).read_bytes().replace(b"\r\n", b"\n") for name in names}
    except OSError as error:
        raise EngineError(f"{error.filename}: {error.strerror}; hint: restore it") from error
    # The default name: with --file, podman prefers a file in the current directory.
    files["Dockerfile"] = files.pop(DOCKERFILE)
    return _tar(files)


def image_tag(context: bytes, base: str = "") -> str:
    """Return the image's tag, a hash of the build *context* and the base image's name."""
    digest = hashlib.sha256(base.encode() + b"\0" + context).hexdigest()
    return f"winscratch-hivex:{digest[:16]}"


def _tar(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of *files* that depends only on their names and content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
