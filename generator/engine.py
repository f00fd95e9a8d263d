# SPDX-License-Identifier: Apache-2.0
"""Run the hive builder: in a container of docker's or podman's, or natively.

The builder (generator/hivebuilder) reads one JSON document and writes one; nothing else passes
between it and the engine: no mounts, no network, no temporary files. What it answers is checked
here for shape and digest; whether it is a sound hive is for the reader of hives to judge.

Settings from the environment, each optional:

- WINSCRATCH_ENGINE: auto, docker, podman or native;
- WINSCRATCH_TIMEOUT: seconds an image build or a run of the builder may take;
- WINSCRATCH_BASE_IMAGE: the image Dockerfile.hivex starts from;
- WINSCRATCH_BUILD_NETWORK: the network of the image build, such as host.

docker's and podman's own settings (DOCKER_HOST, DOCKER_BUILDKIT, CONTAINERS_CONF, …) reach them as they are.
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from generator.errors import GeneratorError, one_line
from generator.hive import Hive

ENGINES = ("auto", "docker", "podman", "native")

FORMAT = 1  # of request and response, see hivebuilder/__main__.py
FOREIGN_HIVEX = 4  # the builder's exit status when the module named hivex is another project's
NO_HIVEX = 3  # … and when there is none

RUN_SECONDS = 60
BUILD_SECONDS = 600
ANSWER_SECONDS = 10  # for a daemon to answer what takes it no work
AUTO_SECONDS = 2  # … when nobody asked for that daemon
PROBE_SECONDS = 5
STOP_SECONDS = 5  # for podman to tidy up
MAX_OUTPUT = 64 << 20  # bytes a process may write
USER = "65534:65534"  # Debian's nobody:nogroup
DEBIAN_PYTHON = "/usr/bin/python3"  # the one Debian's hivex module is made for
PROBE = "/winscratch-probe"  # a program that no image has

ROOT = Path(__file__).parent.parent
DOCKERFILE = "Dockerfile.hivex"
BUILDER = "generator/hivebuilder"

LATE = "; WINSCRATCH_TIMEOUT can allow it more"
MENDS = {
    "docker": "install or start docker, or set DOCKER_HOST",
    "podman": "install podman",
    "native": "on Debian apt-get install python3-hivex",
}

Say = Callable[[str], None]


class EngineError(GeneratorError):
    """An engine cannot be used, failed, or answered something else than hives."""


class Engine(Protocol):
    """Something that runs the hive builder."""

    @property
    def name(self) -> str:
        """What the user calls it: docker, podman or native."""

    def run(self, request: bytes) -> bytes:
        """Return the builder's response to *request*, both UTF-8 JSON; raise EngineError when there is none."""


# ---------------------------------------------------------------------------------------------
# Choosing


def select(name: str | None, say: Say) -> Engine:
    """Return the engine called *name*, or by WINSCRATCH_ENGINE, or the first that works; *say* which it is.

    *say* takes one line for the user at a time; the engine keeps it for later news. Raises
    EngineError when the name or another setting is wrong, or when the engine cannot work.
    """
    source, wanted = ("--engine", name) if name is not None else ("WINSCRATCH_ENGINE", _setting("ENGINE") or "auto")
    if wanted not in ENGINES:
        raise EngineError(f"{source}: there is no engine {wanted!r}; choose one of {', '.join(ENGINES)}")
    seconds = _timeout()
    if wanted != "auto":
        try:
            return _usable(wanted, seconds, say, ANSWER_SECONDS)
        except EngineError as error:
            raise EngineError(f"{source} {wanted}: {error}; {MENDS[wanted]}, or choose another engine") from error
    reasons = []
    for candidate in ENGINES[1:]:
        try:
            return _usable(candidate, seconds, say, AUTO_SECONDS)
        except EngineError as error:
            reasons.append(f"{candidate}: {error}")
    raise EngineError(f"no engine can build hives ({'; '.join(reasons)}); {', or '.join(MENDS.values())}")


def _usable(name: str, seconds: int | None, say: Say, patience: float) -> Engine:
    """Return the engine called *name* after asking whether it works; raise EngineError with the reason if not."""
    if name == "native":
        native = NativeEngine(_find_python(), run_seconds=seconds or RUN_SECONDS)
        say(f"engine: native ({native.python})")
        return native
    if shutil.which(name) is None:
        raise EngineError(f"there is no program {name} on PATH")
    engine = ContainerEngine(
        name,
        say,
        run_seconds=seconds or RUN_SECONDS,
        build_seconds=seconds or BUILD_SECONDS,
        base=_setting("BASE_IMAGE"),
        network=_setting("BUILD_NETWORK"),
    )
    details = [engine.probe_docker(patience) if name == "docker" else engine.probe_podman()]
    if name == "docker" and "DOCKER_HOST" in os.environ:
        details.append(os.environ["DOCKER_HOST"])
    say(f"engine: {name} ({', '.join(details)})")
    return engine


def _setting(name: str) -> str:
    """Return the environment variable WINSCRATCH_*name*; an empty one counts as unset, as is usual in CI files."""
    return os.environ.get(f"WINSCRATCH_{name}", "")


def _timeout() -> int | None:
    text = _setting("TIMEOUT")
    if text and not re.fullmatch(r"[1-9][0-9]{0,5}", text, re.ASCII):
        raise EngineError(f"WINSCRATCH_TIMEOUT is {text!r}; give it whole seconds, from 1 to 999999")
    return int(text) if text else None


def _find_python() -> str:
    """Return the first Python that imports the registry library, as the builder itself judges it."""
    tried = []
    for python in dict.fromkeys((sys.executable, DEBIAN_PYTHON, shutil.which("python3") or "python3")):
        try:
            done = NativeEngine(python, run_seconds=ANSWER_SECONDS).start(encode_request({}))
        except EngineError as error:
            tried.append(str(error))
            continue
        if done.status == 0:
            return python
        if done.status == FOREIGN_HIVEX:
            raise EngineError(_telling_line(done.err) or f"{python} imports a hivex that is not the registry library")
        tried.append(python if done.status == NO_HIVEX else f"{python}: {_telling_line(done.err)}")
    raise EngineError(f"no Python here imports hivex (tried {', '.join(tried)})")


# ---------------------------------------------------------------------------------------------
# Engines


@dataclass(frozen=True)
class NativeEngine:
    """Runs the builder with a Python of this machine; *python* is its path, *run_seconds* its time limit."""

    python: str
    run_seconds: int = RUN_SECONDS
    package: Path = ROOT / BUILDER
    name = "native"

    def run(self, request: bytes) -> bytes:
        """Return the builder's response to *request*, both UTF-8 JSON; raise EngineError when there is none."""
        done = self.start(request, _Line("building hives"))
        if done.status:
            raise EngineError(f"engine native: {_why_it_failed(done.status, done.err, 'the hive builder')}")
        return done.out

    def start(self, request: bytes, line: "_Line | None" = None) -> "_Ended":
        """Run the builder and return how it ended; raise EngineError when it cannot start or does not end."""
        # What the user set for other Pythons must not reach this one.
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return _run(
            [self.python, "-s", "-E", "-B", "-m", self.package.name],
            what=self.python,
            seconds=self.run_seconds,
            hint=LATE,
            stdin=request,
            env={**env, "LC_ALL": "C.UTF-8"},
            cwd=self.package.parent,
            line=line,
        )


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

    def run(self, request: bytes) -> bytes:
        """Return the builder's response to *request*, both UTF-8 JSON; raise EngineError when there is none.

        The image is built first if there is none of these inputs. However this ends, by an error,
        the time limit, Ctrl-C or SIGTERM, the container is gone afterwards.
        """
        done = self._run_container(self._image(), stdin=request, line=_Line("building hives"))
        if done.status:
            raise EngineError(
                f"engine {self.name}: {_why_it_failed(done.status, done.err, 'the container', self.memory)}"
            )
        return done.out

    def ask_image(self, program: str, *arguments: str) -> bytes:
        """Return what *program* of the builder's image writes, run as the builder is; raise EngineError if it fails."""
        done = self._run_container(self._image(), *arguments, entrypoint=program)
        if done.status:
            raise EngineError(f"engine {self.name}: {_why_it_failed(done.status, done.err, program, self.memory)}")
        return done.out

    def probe_docker(self, patience: float) -> str:
        """Return the version of docker's daemon; raise EngineError if none for Linux answers in *patience* seconds."""
        done = self._ask("version", "--format", "{{.Server.Version}} {{.Server.Os}}", seconds=patience)
        version, _, system = done.out.decode(errors="replace").strip().partition(" ")
        if done.status or not version:
            raise EngineError(f"no daemon answers ({_telling_line(done.err) or 'docker version says nothing'})")
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
            raise EngineError(_telling_line(imported.err) or "it cannot import an image")
        try:
            done = self._run_container(image, PROBE, seconds=PROBE_SECONDS)
        finally:
            self._ask("image", "rm", "--force", image, seconds=PROBE_SECONDS)
        if PROBE not in done.err.decode(errors="replace"):
            raise EngineError(f"it cannot run containers ({_telling_line(done.err)})")
        return version.out.decode(errors="replace").strip()

    def _image(self) -> str:
        """Return the tag of the builder's image, built first unless there is one of the same inputs."""
        context = build_context(self.source)
        tag = image_tag(context, self.base)
        if self._ask("image", "inspect", "--format", "{{.Id}}", tag).status == 0:
            return tag
        self.say(f"building image {tag} (the first time takes about a minute)")
        done = _run(
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
            line=_Line("building image", show_output=True),
            gently=self.name == "podman",
        )
        if done.status:
            raise EngineError(
                f"engine {self.name}: the image cannot be built: {_why_it_failed(done.status, done.out, 'build')}"
            )
        return tag

    def _run_container(
        self,
        image: str,
        *command: str,
        entrypoint: str = "",
        stdin: bytes = b"",
        seconds: int | None = None,
        line: "_Line | None" = None,
    ) -> "_Ended":
        """Run *image* in a container with no more rights than a filter needs; leave none behind, whatever happens."""
        container = _random_name()
        try:
            done = _run(
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

    def _ask(self, *arguments: str, seconds: float | None = None, stdin: bytes = b"") -> "_Ended":
        """Run a command that takes the program no work."""
        what = f"{self.name} {arguments[0]}"
        return _run([self.name, *arguments], what=what, seconds=seconds or ANSWER_SECONDS, stdin=stdin)


def _random_name() -> str:
    return f"winscratch-{os.urandom(8).hex()}"


def _why_it_failed(status: int, output: bytes, what: str, memory: str = "") -> str:
    """Return one line on why a process that wrote *output* ended with a *status* other than 0."""
    if status in (128 + signal.SIGKILL, -signal.SIGKILL):
        limit = f" (its limit is {memory})" if memory else ""
        return f"{what} was killed, most likely for want of memory{limit}"
    return _telling_line(output) or f"{what} ended with status {status} and no message"


# ---------------------------------------------------------------------------------------------
# The image


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


# ---------------------------------------------------------------------------------------------
# Request and response


def build_hives(engine: Engine, hives: Mapping[str, Hive], say: Say | None = None) -> dict[str, bytes]:
    """Return each hive of *hives* as *engine* builds it: the bytes of a regf file by the hive's id.

    *say* is told how many are being built. Raises EngineError when the engine fails or its
    response has not exactly these hives.
    """
    if say:
        say(f"building {len(hives)} hive{'s' * (len(hives) != 1)}")
    response = engine.run(encode_request(hives))
    try:
        return decode_response(response, hives.keys())
    except EngineError as error:
        raise EngineError(f"engine {engine.name}: the hive builder's answer is unusable: {error}") from error


def encode_request(hives: Mapping[str, Hive]) -> bytes:
    """Return the builder's request for *hives*: JSON, in ASCII; data is base64. The format is hivebuilder's."""
    document = {
        "format": FORMAT,
        "hives": {
            name: {
                "keys": [
                    {
                        "path": list(key.path),
                        "values": [
                            {"name": v.name, "type": v.type, "data": base64.b64encode(v.data).decode("ascii")}
                            for v in key.values
                        ],
                    }
                    for key in hive
                ]
            }
            for name, hive in hives.items()
        },
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def decode_response(response: bytes, ids: Collection[str]) -> dict[str, bytes]:
    """Return the hives of the builder's *response*, UTF-8 JSON, which must be exactly those of *ids*, in that order.

    Raises EngineError, naming the place, when the response is not of its format: wrong type,
    missing, unknown or doubled member, loose base64, or a digest other than the data's.
    """
    try:
        document = json.loads(response.decode("utf-8"), object_pairs_hook=_unique_members)
    except RecursionError as error:
        raise EngineError("it is nested too deeply") from error
    except ValueError as error:
        raise EngineError(f"it is not JSON ({error})" if response.strip() else "it is empty") from error
    members = _members(document, "it", ("format", "hivex", "hives"))
    if type(members["format"]) is not int or members["format"] != FORMAT:  # True is 1, and 1.0 is
        raise EngineError(f"format is not {FORMAT}")
    _text(members["hivex"], "hivex")
    hives = _members(members["hives"], "hives", ids)
    return {name: _decode_hive(hives[name], f"hives.{name}") for name in ids}


def _decode_hive(document: object, where: str) -> bytes:
    members = _members(document, where, ("sha256", "data"))
    digest, text = _text(members["sha256"], f"{where}.sha256"), _text(members["data"], f"{where}.data")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise EngineError(f"{where}.data is not base64 ({error})") from error
    if base64.b64encode(data).decode("ascii") != text:
        raise EngineError(f"{where}.data is not the one base64 of its bytes")
    if hashlib.sha256(data).hexdigest() != digest:
        raise EngineError(f"{where}.sha256 is not the digest of its data")
    return data


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has a member twice")
    return members


def _members(value: object, where: str, names: Collection[str]) -> dict[str, object]:
    """Return *value* as an object that has the members *names* and no others."""
    if not isinstance(value, dict):
        raise EngineError(f"{where} is not an object")
    missing = [name for name in names if name not in value]
    unknown = [name for name in value if name not in names]
    if missing or unknown:
        verb, found = ("lacks", missing) if missing else ("has the unknown", unknown)
        raise EngineError(f"{where} {verb} {', '.join(found)[:200]}")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise EngineError(f"{where} is not a string")
    return value


# ---------------------------------------------------------------------------------------------
# Processes


@dataclass(frozen=True)
class _Ended:
    """How a process ended: its exit status (negative: the signal), and what it wrote."""

    status: int
    out: bytes
    err: bytes


class _Line:
    """One line on the terminal that tells, again and again, how far a long step is; nothing where there is none."""

    PERIOD = 0.5  # seconds from one drawing to the next

    def __init__(self, label: str, *, show_output: bool = False) -> None:
        self._label = label
        self._show_output = show_output
        self._start = self._drawn = time.monotonic()
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def draw(self, output: bytes | bytearray) -> None:
        """Show the label, the seconds so far and the last line of *output*, if it is time to."""
        now = time.monotonic()
        if self._terminal and now - self._drawn >= self.PERIOD:
            last = _lines(output)[-1:] if self._show_output else []
            text = " ".join([f"{self._label}: {now - self._start:.0f} s", *last])
            self._write(one_line(text)[: shutil.get_terminal_size().columns - 1])
            self._drawn = now

    def clear(self) -> None:
        """Take the line away."""
        if self._drawn != self._start:
            self._write("")

    def _write(self, text: str) -> None:
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _run(
    command: list[str],
    *,
    what: str,
    seconds: float,
    hint: str = "",
    stdin: bytes = b"",
    merge: bool = False,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    line: _Line | None = None,
    gently: bool = False,
) -> _Ended:
    """Run *command*, feed it *stdin* and return how it ended, within *seconds*.

    *merge* joins standard error to the output, in the order written. Raises EngineError, which
    names *what*, when the process cannot start, writes more than MAX_OUTPUT bytes or does not end
    in time (then with *hint*). Whatever ends the wait early stops the process and its group, at
    once or *gently*.
    """
    with _sigterm_unwinds():
        try:
            process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if merge else subprocess.PIPE,
                env=env,
                cwd=cwd,
                # Its own group, to be killed as one, and out of the reach of the terminal's Ctrl-C.
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"{what} cannot be started: {error.strerror}") from error
        with process:
            try:
                return _converse(process, what, seconds, stdin, line)
            except TimeoutError as error:
                raise EngineError(f"{what} did not end within {seconds:g} s{hint}") from error
            finally:
                if process.returncode is None:
                    _stop(process, gently)
                if line:
                    line.clear()


def _stop(process: "subprocess.Popen[bytes]", gently: bool) -> None:
    """Kill the process and its group; *gently* lets a Go program tidy up after its children first.

    An image build that podman does not end itself leaves a working container and temporary files.
    No signal makes podman end it, but by default SIGUSR1 ends any program except one in Go, which
    takes no notice: so the build's command dies, and podman tidies up as after any failure.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        try:
            if gently:
                os.killpg(process.pid, signal.SIGUSR1)
                process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Only while nobody has waited for it is its number still its own.
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


def _converse(
    process: "subprocess.Popen[bytes]", what: str, seconds: float, stdin: bytes, line: _Line | None
) -> _Ended:
    """Write *stdin* to the process while reading what it writes, until it ends; raise TimeoutError if it does not."""
    deadline = time.monotonic() + seconds
    rest = memoryview(stdin)
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, buffer in ((process.stdout, out), (process.stderr, err)):
            if stream:
                selector.register(stream, selectors.EVENT_READ, buffer)
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            for key, events in selector.select(min(_left(deadline), _Line.PERIOD)):
                if events & selectors.EVENT_WRITE and process.stdin:
                    rest = _feed(key.fd, rest)
                    if not rest:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                elif chunk := os.read(key.fd, 1 << 16):
                    key.data.extend(chunk)
                    if len(key.data) > MAX_OUTPUT:
                        raise EngineError(f"{what} wrote more than {MAX_OUTPUT >> 20} MiB")
                else:
                    selector.unregister(key.fileobj)
            if line:
                line.draw(out)
    try:
        return _Ended(process.wait(_left(deadline)), bytes(out), bytes(err))
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error


def _feed(fd: int, data: memoryview) -> memoryview:
    """Write what the pipe *fd* takes at once of *data* and return the rest; nothing is left for a closed one."""
    try:
        return data[os.write(fd, data) :]
    except BrokenPipeError:  # the exit status will say why
        return data[:0]


def _left(deadline: float) -> float:
    """Return the seconds left until *deadline*, or raise TimeoutError."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@contextlib.contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Make SIGTERM, as Ctrl-C, unwind the stack, so that what was started is stopped."""

    def unwind(number: int, _: object) -> None:
        sys.exit(128 + number)

    # Python lets only the main thread set handlers; one set by somebody else stays.
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _lines(output: bytes | bytearray) -> list[str]:
    """Return the last lines of *output*, without colours, outer white space and blank lines."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", output[-(1 << 16) :].decode("utf-8", "replace"))
    return [line.strip() for line in text.splitlines() if line.strip()]


def _telling_line(output: bytes | bytearray) -> str:
    """Return the line of *output* that says best what went wrong: apt's or another error, or else the last line."""
    # docker ends its errors with advice on --help; BuildKit numbers and times each line.
    lines = [re.sub(r"^#\d+ [\d.]+ ", "", line) for line in _lines(output) if not re.match(r"(Run|See) '", line)]
    for pattern in (r"E: ", r"(?i)(error|failed|fatal)\b", ""):
        for line in reversed(lines):
            if re.match(pattern, line):
                return line[:300]
    return ""
