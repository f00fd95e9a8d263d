# SPDX-License-Identifier: Apache-2.0
"""The engines, run for real: a docker daemon, podman and Debian's hivex, and stand-ins for those that misbehave."""

import base64
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import lack, need

from generator.builder import choose, container, process, wire
from generator.builder import native as native_engine
from generator.builder.container import ContainerEngine
from generator.builder.native import NativeEngine
from generator.builder.process import EngineError
from generator.hives.model import EMPTY_HIVE, REG_BINARY, REG_SZ, Hive, Key, Value

HIVES: dict[str, Hive] = {
    "empty": EMPTY_HIVE,
    "one key": (Key(()), Key(("Objects",), (Value("", REG_SZ, "ä".encode("utf-16-le")), Value("n", REG_BINARY, b"")))),
}
REQUEST = wire.encode_request(HIVES)

# Where the image comes from is this machine's business, not the tests'.
BASE = os.environ.get("WINSCRATCH_BASE_IMAGE", "")
NETWORK = os.environ.get("WINSCRATCH_BUILD_NETWORK", "")


@pytest.fixture(autouse=True)
def _plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start from default settings, and fail the test if anything is left where temporary files go."""
    for name in ("ENGINE", "TIMEOUT", "BASE_IMAGE", "BUILD_NETWORK"):
        monkeypatch.delenv(f"WINSCRATCH_{name}", raising=False)
    temporary = tmp_path / "TMPDIR"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    yield
    assert list(temporary.iterdir()) == []


def ignore(_: str) -> None:
    """Say nothing."""


def message(failure: "pytest.ExceptionInfo[EngineError]") -> str:
    """Return what the user sees, which is one line."""
    line = str(failure.value)
    assert line.isprintable()
    assert len(line) < 1000
    return line


def wait_until(question: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def is_running(cmdline: Path, command: str) -> bool:
    """Tell whether the process with this file in /proc is *command*."""
    try:
        return cmdline.read_bytes().rstrip(b"\0").split(b"\0") == command.encode().split()
    except OSError:  # it ended meanwhile
        return False


def group_members(group: int) -> list[int]:
    """Return the living processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


# ---------------------------------------------------------------------------------------------
# Real containers


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session")
def docker_engine() -> ContainerEngine:
    """The docker of this environment, with the image of this checkout built."""
    need("docker")
    found = ContainerEngine("docker", ignore, base=BASE, network=NETWORK)
    try:
        found.probe_docker(process.ANSWER_SECONDS)
    except EngineError as error:
        lack(f"docker: {error}")
    choose.build_hives(found, {})
    return found


@pytest.fixture
def podman_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ContainerEngine:
    """This machine's podman, asking for no higher limits than it has where this is a container already."""
    if shutil.which("podman") is None:
        pytest.skip("there is no podman on this machine")
    settings = tmp_path / "containers.conf"
    settings.write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
    monkeypatch.setenv("CONTAINERS_CONF", str(settings))
    found = ContainerEngine("podman", ignore, base=BASE, network=NETWORK)
    try:
        found.probe_podman()
    except EngineError as error:
        pytest.skip(f"podman: {error}")  # also in CI: whether podman can run is up to the machine
    return found


TOYS = {
    "sleep": "import sys, time; sys.stdin.read(); time.sleep(600)",
    "eat memory": "x = b'x' * (1 << 30)",
}


def toy_checkout(folder: Path, program: str, dockerfile: str | None = None) -> Path:
    """Return a checkout whose hive builder is *program*; its tag is its own."""
    builder = folder / wire.BUILDER
    builder.mkdir(parents=True)
    (builder / "__main__.py").write_text(f"# {os.urandom(8).hex()}\n{program}\n")
    (folder / container.DOCKERFILE).write_text(dockerfile or (wire.ROOT / container.DOCKERFILE).read_text())
    return folder


@pytest.fixture
def toy(docker_engine: ContainerEngine, tmp_path: Path) -> Iterator[Callable[..., ContainerEngine]]:
    """Make docker engines whose hive builder is a toy; their containers must be gone at the end."""
    tags: list[str] = []

    def make(program: str, **settings: Any) -> ContainerEngine:
        source = toy_checkout(tmp_path / f"checkout{len(tags)}", program)
        tags.append(container.image_tag(container.build_context(source), docker_engine.base))
        fields = {"base": docker_engine.base, "network": docker_engine.network, "source": source, **settings}
        return ContainerEngine("docker", ignore, **fields)

    yield make
    left = [containers(tag) for tag in tags]
    for tag in tags:
        subprocess.run(["docker", "image", "rm", "--force", tag], capture_output=True, check=False)
    assert left == [[]] * len(tags)


def containers(tag: str) -> list[str]:
    return docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"ancestor={tag}").split()


def tag_of(made: ContainerEngine) -> str:
    return container.image_tag(container.build_context(made.source), made.base)


def test_docker_and_native_build_the_same_hives(docker_engine: ContainerEngine) -> None:
    built = choose.build_hives(docker_engine, HIVES)
    assert list(built) == list(HIVES)
    assert all(hive.startswith(b"regf") for hive in built.values())
    assert built == choose.build_hives(native(), HIVES)


@pytest.fixture
def podman_base(podman_engine: ContainerEngine) -> str:
    """The base image, fetched from docker's store if it has it: there may be no registry."""
    base = podman_engine.base or "debian:trixie-slim"
    if subprocess.run(["podman", "image", "inspect", base], capture_output=True, check=False).returncode:
        subprocess.run(f"docker image save {base} | podman load", shell=True, capture_output=True, check=False)  # noqa: S602
    return base


def podman(*arguments: str) -> set[str]:
    """Return the lines of podman's answer."""
    return set(subprocess.run(["podman", *arguments], capture_output=True, text=True, check=True).stdout.splitlines())


@pytest.mark.usefixtures("podman_base")
def test_podman_builds_its_image_and_the_same_hives(podman_engine: ContainerEngine) -> None:
    assert choose.build_hives(podman_engine, HIVES) == choose.build_hives(native(), HIVES)


def test_podman_leaves_nothing_of_its_probe(podman_engine: ContainerEngine) -> None:
    before = podman("images", "--all", "--quiet"), podman("ps", "--all", "--external", "--quiet")
    assert re.match(r"\d", podman_engine.probe_podman())
    assert (podman("images", "--all", "--quiet"), podman("ps", "--all", "--external", "--quiet")) == before


def test_a_signal_stops_podmans_image_build_too(podman_base: str, tmp_path: Path) -> None:
    command = f"sleep 600 {int.from_bytes(os.urandom(4))}"  # sleep adds them up
    source = toy_checkout(tmp_path / "checkout", "", f"ARG BASE\nFROM ${{BASE}}\nRUN {command}\n")

    def building() -> bool:
        return any(is_running(process, command) for process in Path("/proc").glob("[0-9]*/cmdline"))

    before = podman("ps", "--all", "--external", "--quiet")
    made = f"ContainerEngine('podman', print, base={podman_base!r}, network='host', source=Path({str(source)!r}))"
    assert interrupted(made, signal.SIGINT, building) == -signal.SIGINT
    assert not building()
    assert podman("ps", "--all", "--external", "--quiet") == before


def test_the_running_container_has_no_rights_to_speak_of(toy: Callable[..., ContainerEngine]) -> None:
    running = toy(TOYS["sleep"])
    failures = []

    def run() -> None:
        try:
            running.run(b"{}")
        except EngineError as error:
            failures.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: containers(tag_of(running)))
        (container,) = containers(tag_of(running))
        wait_until(lambda: docker("inspect", "--format", "{{.State.Running}}", container) == "true")
        (facts,) = json.loads(docker("inspect", container))
        inside = docker("exec", container, "cat", "/proc/1/status", "/proc/mounts")
        networks = docker("exec", container, "ls", "/sys/class/net").split()
        writing = subprocess.run(["docker", "exec", container, "touch", "/tmp/x"], capture_output=True, check=False)
    finally:
        if left := containers(tag_of(running)):
            docker("kill", *left)
        thread.join()
    assert failures == ["engine docker: the container was killed, most likely for want of memory (its limit is 512m)"]

    assert re.fullmatch(r"/winscratch-[0-9a-f]{16}", facts["Name"])
    assert facts["Mounts"] == []
    assert facts["Config"]["User"] == "65534:65534"
    assert facts["Config"]["Tty"] is False
    host = facts["HostConfig"]
    limits = ("NetworkMode", "ReadonlyRootfs", "CapAdd", "CapDrop", "SecurityOpt", "PidsLimit", "Memory", "MemorySwap")
    assert [host[limit] for limit in limits] == (
        ["none", True, None, ["ALL"], ["no-new-privileges"], 64, 512 << 20, 512 << 20]
    )
    assert (host["AutoRemove"], host["Privileged"], host["Binds"]) == (True, False, None)
    assert host["LogConfig"]["Type"] == "none"

    # As the kernel sees it.
    assert re.search(r"^Uid:\t65534\t65534\t65534\t65534$", inside, re.MULTILINE)
    assert re.search(r"^Gid:\t65534\t65534\t65534\t65534$", inside, re.MULTILINE)
    assert set(re.findall(r"^Cap\w+:\t(\w+)$", inside, re.MULTILINE)) == {"0" * 16}
    assert re.search(r"^NoNewPrivs:\t1$", inside, re.MULTILINE)
    assert re.search(r"^overlay / overlay ro,", inside, re.MULTILINE)
    assert networks == ["lo"]
    assert writing.returncode != 0


def test_an_unchanged_image_is_not_built_again(docker_engine: ContainerEngine) -> None:
    said: list[str] = []
    again = ContainerEngine("docker", said.append, base=docker_engine.base, network=docker_engine.network)
    tag = tag_of(again)
    before = docker("image", "inspect", "--format", "{{.Id}} {{.Metadata.LastTagTime}}", tag)
    choose.build_hives(again, HIVES, said.append)
    assert said == ["building 2 hives"]
    assert docker("image", "inspect", "--format", "{{.Id}} {{.Metadata.LastTagTime}}", tag) == before


def test_the_image_can_be_built_by_buildkit(
    toy: Callable[..., ContainerEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "1")
    for program in (shutil.which("docker"), "/usr/bin/docker"):
        # Newer clients have BuildKit by a plugin only; a Debian client beside may have it built in.
        probe = [str(program), "build", "-"]
        if program and b"solve" in subprocess.run(probe, input=b"FROM :\n", capture_output=True, check=False).stderr:
            break
    else:
        pytest.skip("no docker client here has BuildKit")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").symlink_to(program)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert b"65534" in toy("import os; print(os.getuid())").run(b"")


def test_a_container_out_of_memory_is_told_as_such(toy: Callable[..., ContainerEngine]) -> None:
    with pytest.raises(EngineError) as failure:
        toy(TOYS["eat memory"], memory="32m").run(b"")
    assert message(failure) == (
        "engine docker: the container was killed, most likely for want of memory (its limit is 32m)"
    )


def test_a_container_past_its_time_is_removed(toy: Callable[..., ContainerEngine]) -> None:
    slow = toy(TOYS["sleep"], run_seconds=1)
    with pytest.raises(EngineError) as failure:
        slow.run(b"")
    assert message(failure) == "docker run did not end within 1 s; WINSCRATCH_TIMEOUT can allow it more"
    assert containers(tag_of(slow)) == []


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        (
            "ARG BASE\nFROM ${BASE}\nRUN apt-get install no-such-package\n",
            "E: Unable to locate package no-such-package",
        ),
        ("ARG BASE\nFROM ${BASE}\nRUN echo one >&2; exit 3\n", "3"),
        ("ARG BASE\nFROM ${BASE}\nCOPY no-such-file /\n", "no-such-file"),
        ("FROM :\n", "invalid reference format"),
        ("FRAM\n", "[Ff][Rr][Aa][Mm]"),
    ],
)
def test_a_failing_image_build_is_told_by_its_own_line(
    docker_engine: ContainerEngine, tmp_path: Path, dockerfile: str, expected: str
) -> None:
    said: list[str] = []
    source = toy_checkout(tmp_path / "checkout", "", dockerfile)
    base = docker_engine.base or "debian:trixie-slim"
    broken = ContainerEngine("docker", said.append, base=base, network=docker_engine.network, source=source)
    with pytest.raises(EngineError) as failure:
        broken.run(b"")
    assert re.match(f"engine docker: the image cannot be built: .*{expected}", message(failure))
    assert said == [f"building image {tag_of(broken)} (the first time takes about a minute)"]
    assert docker("image", "ls", "--quiet", tag_of(broken)) == ""


def test_a_base_image_without_a_shell_fails_by_a_line(docker_engine: ContainerEngine) -> None:
    with pytest.raises(EngineError, match=r"^engine docker: the image cannot be built: ."):
        ContainerEngine("docker", ignore, base="scratch", network=docker_engine.network).run(b"")


INTERRUPTED = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from generator.builder.container import ContainerEngine
from generator.builder.native import NativeEngine
{made}.run(b"")
"""


def interrupted(made: str, number: int, ready: Callable[[], object]) -> int:
    """Run an engine in a Python of its own, send it the signal once *ready*, and return its exit status."""
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED.format(root=str(wire.ROOT), made=made)],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    try:
        wait_until(ready)
        child.send_signal(number)
        return child.wait(20)
    finally:
        child.kill()
        child.wait()


SIGNALS = {signal.SIGINT: -signal.SIGINT, signal.SIGTERM: 143, signal.SIGHUP: 129}  # and the status each ends with


@pytest.mark.parametrize(("number", "status"), SIGNALS.items())
def test_a_signal_stops_the_container_too(toy: Callable[..., ContainerEngine], number: int, status: int) -> None:
    slow = toy(TOYS["sleep"])
    where = f"base={slow.base!r}, network={slow.network!r}, source=Path({str(slow.source)!r})"
    made = f"ContainerEngine('docker', print, {where})"
    assert interrupted(made, number, lambda: containers(tag_of(slow))) == status
    assert containers(tag_of(slow)) == []


def test_a_signal_stops_the_image_build_too(
    docker_engine: ContainerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = f"sleep 601 # {os.urandom(8).hex()}"
    base = docker_engine.base or "debian:trixie-slim"
    source = toy_checkout(tmp_path / "checkout", "", f"ARG BASE\nFROM ${{BASE}}\nRUN {token}\n")

    def building() -> bool:
        return token in docker("ps", "--all", "--no-trunc", "--format", "{{.Command}}")

    made = f"ContainerEngine('docker', print, base={base!r}, source=Path({str(source)!r}))"
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")  # BuildKit's containers cannot be listed
    assert interrupted(made, signal.SIGINT, building) == -signal.SIGINT
    wait_until(lambda: not building())


# ---------------------------------------------------------------------------------------------
# Native


def native() -> NativeEngine:
    try:
        found = choose.select("native", ignore)
    except EngineError as error:
        lack(str(error))
    assert isinstance(found, NativeEngine)
    return found


def test_native_is_free_of_the_users_python_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hivex.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    assert list(choose.build_hives(native(), HIVES)) == list(HIVES)


def test_native_passes_on_a_clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = toy_checkout(tmp_path / "toy", "import os; print(sorted(os.environ))") / wire.BUILDER
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("LC_ALL", "tr_TR.ISO-8859-9")
    names = NativeEngine(sys.executable, package=package).run(b"").decode()
    assert "'LC_ALL'" in names
    assert "PYTHON" not in names


def test_native_takes_the_first_python_with_hivex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = native().python
    without = tmp_path / "python-without"
    without.write_text("#!/bin/sh\ncat >/dev/null\necho 'hivebuilder: hivex cannot be imported' >&2\nexit 3\n")
    without.chmod(0o755)
    said: list[str] = []
    monkeypatch.setattr(sys, "executable", str(without))
    monkeypatch.setattr(native_engine, "DEBIAN_PYTHON", python)
    assert choose.select("native", said.append) == NativeEngine(python)
    assert said == [f"engine: native ({python})"]

    monkeypatch.setattr(native_engine, "DEBIAN_PYTHON", "/no/python3")
    (tmp_path / "python3").symlink_to(without)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError) as failure:
        choose.select("native", ignore)
    assert message(failure) == (
        f"--engine native: no Python here imports hivex (tried {without}, /no/python3 cannot be started: "
        f"No such file or directory, {tmp_path}/python3); on Debian apt-get install python3-hivex, "
        "or choose another engine"
    )


def test_native_refuses_the_unrelated_hivex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    (site,) = (tmp_path / "venv" / "lib").glob("*/site-packages")
    (site / "hivex.py").write_text("# somebody's graph library\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "bin" / "python"))
    with pytest.raises(EngineError) as failure:
        choose.select("native", ignore)
    assert f"{site / 'hivex.py'} is not the registry library" in message(failure)


@pytest.mark.parametrize(("number", "status"), SIGNALS.items())
def test_a_signal_stops_the_native_builder_too(tmp_path: Path, number: int, status: int) -> None:
    pid = tmp_path / "pid"
    program = f"import os, time; open({str(pid)!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(600)"
    package = toy_checkout(tmp_path / "toy", program) / wire.BUILDER
    made = f"NativeEngine({sys.executable!r}, package=Path({str(package)!r}))"
    assert interrupted(made, number, lambda: pid.exists() and pid.read_text()) == status
    assert group_members(int(pid.read_text())) == []


# ---------------------------------------------------------------------------------------------
# Stand-ins


class StandIn:
    """A program of the tests' own on PATH; it notes its process number and its arguments."""

    def __init__(self, folder: Path, name: str, script: str) -> None:
        self.path = folder / name
        self._log = folder / f"{name}.log"
        self._log.touch()
        self.path.write_text(f'#!/bin/sh\necho "$$ $*" >>{self._log}\n{script}\n')
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """Its arguments, call by call."""
        return [line.partition(" ")[2] for line in self._log.read_text().splitlines()]

    @property
    def processes(self) -> list[int]:
        """The living ones, with their children."""
        return [pid for line in self._log.read_text().splitlines() for pid in group_members(int(line.split()[0]))]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], StandIn]]:
    """Put programs on PATH, in front; none of their processes may be left at the end."""
    folder = tmp_path / "stand-ins"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    made: list[StandIn] = []

    def make(name: str, script: str) -> StandIn:
        made.append(StandIn(folder, name, script))
        return made[-1]

    yield make
    wait_until(lambda: not any(one.processes for one in made), 5)  # the kernel takes its time to kill


def response(**changes: object) -> dict[str, Any]:
    """Return a sound response to REQUEST, with *changes*."""
    data = b"regf"
    hive = {"sha256": hashlib.sha256(data).hexdigest(), "data": base64.b64encode(data).decode()}
    return {"format": 1, "hivex": "1.3.24", "hives": {name: dict(hive) for name in HIVES}, **changes}


def with_hive(**changes: object) -> dict[str, Any]:
    sound = response()
    sound["hives"]["empty"].update(changes)
    return sound


def saying(document: object, redirect: str = "") -> str:
    return f"cat <<'END' {redirect}\n{document if isinstance(document, str) else json.dumps(document)}\nEND"


UNUSABLE = "engine {name}: the hive builder's answer is unusable: "
MISBEHAVIOUR = {
    "says nothing": ("", UNUSABLE + "it is empty"),
    "says half": (saying(json.dumps(response())[:99]), UNUSABLE + "it is not JSON"),
    "says a list": (saying([]), UNUSABLE + "it is not an object"),
    "says a wrong digest": (saying(with_hive(sha256="0" * 64)), UNUSABLE + "hives.empty.sha256 is not the digest"),
    "leaves out a hive": (saying(response(hives={})), UNUSABLE + "hives lacks empty, one key"),
    "adds a hive": (
        saying(response(hives={**response()["hives"], "more": {}})),
        UNUSABLE + "hives has the unknown more",
    ),
    "fails with a line": ("echo 'hivebuilder: hive a: no' >&2; exit 1", "engine {name}: hivebuilder: hive a: no"),
    "fails with lines": (
        "printf 'Traceback:\\n  a\\n\\033[31mValueError: b\\033[0m\\a\\n\\n' >&2; exit 1",
        "engine {name}: ValueError: b",
    ),
    "fails without a word": ("exit 1", "engine {name}: .* ended with status 1 and no message"),
    "says all and fails": (saying(response()) + "\nexit 1", "engine {name}: .* ended with status 1 and no message"),
    "is killed": ("kill -9 $$", "engine {name}: .* was killed, most likely for want of memory"),
    "hangs": ("sleep 600 & sleep 600", ".* did not end within 1 s; WINSCRATCH_TIMEOUT can allow it more"),
    "hangs, not reading": ("exec <&-; sleep 600", ".* did not end within 1 s"),
    "hangs, saying no more": ("exec >&- 2>&-; sleep 600", ".* did not end within 1 s"),
    "hangs, undying": ("trap '' TERM INT HUP; sleep 600; sleep 600", ".* did not end within 1 s"),
    "leaves a child with its output": ("sleep 600 & exit 0", ".* did not end within 1 s"),
    "never ends its output": ("exec yes", ".* wrote more than 64 MiB"),
    "never ends its errors": ("exec yes >&2", ".* wrote more than 64 MiB"),
}


@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_a_misbehaving_docker_is_one_line(case: str, stand_in: Callable[[str, str], StandIn]) -> None:
    script, expected = MISBEHAVIOUR[case]
    program = stand_in("docker", f'test "$1" = run || exit 0\n{script}')
    with pytest.raises(EngineError) as failure:
        choose.build_hives(ContainerEngine("docker", ignore, run_seconds=1), HIVES)
    assert re.match(expected.format(name="docker"), message(failure))
    if "unusable" not in expected:  # then something may be left of the container
        (container,) = re.findall(r"--name (\S+)", "\n".join(program.calls))
        assert f"rm --force {container}" in program.calls


@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_a_misbehaving_native_builder_is_one_line(case: str, stand_in: Callable[[str, str], StandIn]) -> None:
    script, expected = MISBEHAVIOUR[case]
    program = stand_in("python", script)
    with pytest.raises(EngineError) as failure:
        choose.build_hives(NativeEngine(str(program.path), run_seconds=1), HIVES)
    assert re.match(expected.format(name="native"), message(failure))


def test_a_program_that_cannot_be_started_is_one_line(
    stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in("docker", "").path
    program.write_bytes(b"\x7fELF no more")
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(EngineError, match=r"^docker image cannot be started: Exec format error$"):
        ContainerEngine("docker", ignore).run(b"")


def test_advice_at_the_end_of_dockers_errors_is_no_message(stand_in: Callable[[str, str], StandIn]) -> None:
    advice = "docker: Error response from daemon: no.\n\nRun 'docker run --help' for more information"
    stand_in("docker", f"test $1 = run || exit 0\n{saying(advice, '>&2')}\nexit 125")
    with pytest.raises(EngineError, match=r"^engine docker: docker: Error response from daemon: no\.$"):
        ContainerEngine("docker", ignore).run(b"")


def test_a_daemon_that_hangs_in_the_middle_is_given_up(
    stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "ANSWER_SECONDS", 1)
    program = stand_in("docker", "test $1 = image || sleep 600")
    said: list[str] = []
    with pytest.raises(EngineError, match=r"^docker run did not end within 1 s"):
        ContainerEngine("docker", said.append, run_seconds=1).run(b"")
    (name,) = re.findall(r"--name (\S+)", "\n".join(program.calls))
    assert said == [f"the container {name} may be left behind; remove it with: docker rm --force {name}"]


def test_a_container_still_being_created_is_looked_for_again(stand_in: Callable[[str, str], StandIn]) -> None:
    program = stand_in("docker", "test $1 != run || sleep 600")
    with pytest.raises(EngineError):
        ContainerEngine("docker", ignore, run_seconds=1).run(b"")
    assert [call.split()[0] for call in program.calls] == ["image", "run", "rm", "rm"]


def test_a_podman_that_does_not_stop_its_build_is_killed(
    stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.5)
    stand_in("podman", "trap '' USR1; test $1 = build && sleep 600")
    with pytest.raises(EngineError, match=r"^podman build did not end within 1 s; WINSCRATCH_TIMEOUT can"):
        ContainerEngine("podman", ignore, build_seconds=1).run(b"")


def test_settings_reach_the_image_build(
    stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = stand_in("docker", 'test $1 = version && echo 1.2 linux || { cat; test "$1" != image; }')
    monkeypatch.setenv("WINSCRATCH_BASE_IMAGE", "debian:bookworm-slim")
    monkeypatch.setenv("WINSCRATCH_BUILD_NETWORK", "host")
    docker = choose.select("docker", ignore)
    assert isinstance(docker, ContainerEngine)
    assert docker.run(b"echo") == b"echo"
    tag = container.image_tag(container.build_context(), "debian:bookworm-slim")
    assert f"build --force-rm --tag {tag} --build-arg BASE=debian:bookworm-slim --network=host -" in program.calls


# ---------------------------------------------------------------------------------------------
# The image's inputs


def checkout_copy(folder: Path) -> Path:
    shutil.copytree(wire.ROOT / wire.BUILDER, folder / wire.BUILDER)
    shutil.copy(wire.ROOT / container.DOCKERFILE, folder)
    return folder


def test_the_tag_is_a_hash_of_the_images_inputs(tmp_path: Path) -> None:
    tag = container.image_tag(container.build_context())
    assert re.fullmatch(r"winscratch-hivex:[0-9a-f]{16}", tag)
    assert container.image_tag(container.build_context(), "debian:bookworm-slim") != tag

    copy = checkout_copy(tmp_path / "copy")
    builder = copy / wire.BUILDER
    (builder / "__pycache__").mkdir(exist_ok=True)
    (builder / "notes.txt").write_text("not the builder's")
    for file in (copy / container.DOCKERFILE, *builder.glob("*.py")):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
        os.utime(file, (1, 1))
        file.chmod(0o600)
    assert container.image_tag(container.build_context(copy)) == tag

    with (builder / "__main__.py").open("a") as program:
        program.write("#")
    changed = container.image_tag(container.build_context(copy))
    (builder / "more.py").touch()
    assert len({tag, changed, container.image_tag(container.build_context(copy))}) == 3


def test_a_missing_dockerfile_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"/Dockerfile\.hivex: No such file or directory; the image is built from it"):
        container.build_context(tmp_path)


# ---------------------------------------------------------------------------------------------
# Choosing


@pytest.mark.parametrize("name", ["Docker", "", "bogus\n"])
def test_an_unknown_engine_is_one_line(name: str) -> None:
    with pytest.raises(EngineError) as failure:
        choose.select(name, ignore)
    assert message(failure) == (
        f"--engine: there is no engine {name!r}; choose one of auto, docker, podman, native, builtin"
    )


def test_an_unknown_engine_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINSCRATCH_ENGINE", "lxc")
    with pytest.raises(EngineError, match=r"^WINSCRATCH_ENGINE: there is no engine 'lxc'; choose one of auto, "):
        choose.select(None, ignore)
    native()  # what is asked for goes first


def test_the_environment_chooses_when_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = native()
    monkeypatch.setenv("WINSCRATCH_ENGINE", "native")
    assert choose.select(None, ignore) == expected


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "a", " 1", "1e3", "٣", "1000000"])
def test_a_bad_timeout_is_one_line(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINSCRATCH_TIMEOUT", text)
    with pytest.raises(EngineError) as failure:
        choose.select("native", ignore)
    assert message(failure) == f"WINSCRATCH_TIMEOUT is {text!r}; give it whole seconds, from 1 to 999999"


def test_the_timeout_is_for_builds_and_runs(
    monkeypatch: pytest.MonkeyPatch, stand_in: Callable[[str, str], StandIn]
) -> None:
    stand_in("docker", "echo 1.2 linux")
    for text, seconds in (("7", (7, 7)), ("", (60, 600))):
        monkeypatch.setenv("WINSCRATCH_TIMEOUT", text)
        found = choose.select("docker", ignore)
        assert isinstance(found, ContainerEngine)
        assert (found.run_seconds, found.build_seconds) == seconds


PODMAN_WITHOUT_RIGHTS = """
cat >/dev/null
case $1 in
version) echo 4.3.1 ;;
run) echo 'Error: runc: error setting rlimit type 7: operation not permitted: OCI permission denied' >&2; exit 126 ;;
esac
"""


def test_auto_prefers_docker_then_podman_then_native(
    monkeypatch: pytest.MonkeyPatch, stand_in: Callable[[str, str], StandIn]
) -> None:
    said: list[str] = []
    monkeypatch.setenv("DOCKER_HOST", "unix:///some.sock")
    stand_in("docker", "echo 29.1 linux")
    assert choose.select("auto", said.append).name == "docker"

    stand_in("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    podman = stand_in("podman", 'test $1 = version && echo 5.4 || { echo "$*" >&2; exit 127; }')
    with pytest.raises(EngineError, match=r"cannot import an image|import --quiet"):
        choose.select("podman", ignore)
    stand_in("podman", 'test $1 = version && echo 5.4; test $1 != run || { echo "no $*" >&2; exit 127; }')
    assert choose.select("auto", said.append).name == "podman"
    assert podman.calls[-1].startswith("image rm --force winscratch-")

    stand_in("podman", PODMAN_WITHOUT_RIGHTS)
    python = native().python
    assert choose.select(None, said.append).name == "native"
    assert said == ["engine: docker (29.1, unix:///some.sock)", "engine: podman (5.4)", f"engine: native ({python})"]


def test_where_no_engine_is_hives_are_built_here_and_what_to_install_for_a_witness_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: Callable[[str, str], StandIn]
) -> None:
    stand_in("podman", PODMAN_WITHOUT_RIGHTS)
    (tmp_path / "stand-ins" / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(tmp_path / "stand-ins"))
    for attribute in ("executable", "DEBIAN_PYTHON"):
        monkeypatch.setattr(sys if attribute == "executable" else native_engine, attribute, "/no/python")
    said: list[str] = []
    assert choose.build_hives(choose.select(None, said.append), HIVES, said.append).keys() == HIVES.keys()
    assert said == ["engine: builtin (hivex has no part in it)", "building 2 hives"]
    with pytest.raises(EngineError) as failure:
        choose.select(None, ignore, witness=True)
    line = message(failure)
    assert line.startswith("no engine here can vouch for hives (docker: there is no program docker on PATH; podman: ")
    assert "error setting rlimit type 7: operation not permitted" in line
    assert line.endswith(
        "; install or start docker, or set DOCKER_HOST, or install podman, or on Debian apt-get install python3-hivex"
    )


def test_this_program_is_no_witness_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    why = "builtin: it cannot vouch for itself; choose one of auto, docker, podman, native"
    with pytest.raises(EngineError) as failure:
        choose.select("builtin", ignore, witness=True)
    assert message(failure) == f"--engine {why}"
    monkeypatch.setenv("WINSCRATCH_ENGINE", "builtin")
    with pytest.raises(EngineError) as failure:
        choose.select(None, ignore, witness=True)
    assert message(failure) == f"WINSCRATCH_ENGINE {why}"


def test_docker_without_a_daemon_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(EngineError) as failure:
        choose.select("docker", ignore)
    line = message(failure)
    assert line.startswith("--engine docker: no daemon answers (")
    assert f"{tmp_path}/no.sock" in line
    assert line.endswith("; install or start docker, or set DOCKER_HOST, or choose another engine")


def test_a_daemon_for_windows_containers_is_one_line(stand_in: Callable[[str, str], StandIn]) -> None:
    stand_in("docker", "echo 29.1 windows")
    with pytest.raises(EngineError, match="its daemon runs Windows containers; switch it to Linux containers"):
        choose.select("docker", ignore)


def test_a_daemon_that_does_not_answer_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: Callable[[str, str], StandIn]
) -> None:
    need("docker")
    stand_in("podman", "exit 1")
    native()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/silent.sock")
        start = time.monotonic()
        assert choose.select("auto", ignore).name == "native"
        assert 1.9 < time.monotonic() - start < 4


# ---------------------------------------------------------------------------------------------
# The response


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (" ", "it is empty"),
        ("{", "it is not JSON"),
        ("null", "it is not an object"),
        ("[" * 99999, "it is nested too deeply"),
        (json.dumps(response()) * 2, "it is not JSON"),
        ('{"format": 1, "format": 1}', "it is not JSON .an object has a member twice."),
        ({}, "it lacks format, hivex, hives"),
        (response(more=1), "it has the unknown more"),
        (response(**{"x" * 9999: 1}), "it has the unknown x{200}$"),
        (response(format=2), "format is not 1"),
        (response(format=True), "format is not 1"),
        (response(format=1.0), "format is not 1"),
        (response(format="1"), "format is not 1"),
        (response(hivex=None), "hivex is not a string"),
        (response(hives=[]), "hives is not an object"),
        (response(hives={"empty": [], "one key": []}), "hives.empty is not an object"),
        (with_hive(more=1), "hives.empty has the unknown more"),
        (with_hive(sha256=1), "hives.empty.sha256 is not a string"),
        (with_hive(sha256=hashlib.sha256(b"regf").hexdigest().upper()), "hives.empty.sha256 is not the digest"),
        (with_hive(data=None), "hives.empty.data is not a string"),
        (with_hive(data="cmVnZg"), "hives.empty.data is not base64"),
        (with_hive(data="cmVn\nZg=="), "hives.empty.data is not base64"),
        (with_hive(data="é"), "hives.empty.data is not base64"),
        (with_hive(data="cmVnZh=="), "hives.empty.data is not the one base64 of its bytes"),
    ],
)
def test_a_response_of_another_shape_is_refused(document: object, expected: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(EngineError) as failure:
        wire.decode_response(text.encode(), HIVES)
    assert re.match(expected, message(failure))


def test_a_response_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(EngineError, match=r"^it is not JSON"):
        wire.decode_response(json.dumps(response()).encode("utf-16"), HIVES)


def test_hives_come_in_the_order_asked_for() -> None:
    document = response()
    document["hives"] = dict(reversed(document["hives"].items()))
    assert list(wire.decode_response(json.dumps(document).encode(), HIVES).hives) == list(HIVES)


def test_the_request_is_what_the_builder_reads() -> None:
    hive = (Key(()), Key(("A", "B"), (Value("", REG_SZ, b"\xe4\0"),)))
    expected = {
        "keys": [{"path": [], "values": []}, {"path": ["A", "B"], "values": [{"name": "", "type": 1, "data": "5AA="}]}]
    }
    assert json.loads(wire.encode_request({"ä": hive})) == {"format": 1, "hives": {"ä": expected}}


# ---------------------------------------------------------------------------------------------
# The terminal


SLOW = """
import sys
sys.path.insert(0, {root!r})
from generator.builder.container import ContainerEngine
ContainerEngine("docker", lambda line: print(line, file=sys.stderr)).run(b"")
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_long_steps_tell_how_far_they_are_on_a_terminal_only(
    terminal: bool, stand_in: Callable[[str, str], StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("docker", "case $1 in image) exit 1 ;; build) echo Setting up ä; sleep 1.2 ;; run) sleep 1.2 ;; esac")
    monkeypatch.setenv("TERM", "xterm")
    reader, writer = pty.openpty() if terminal else os.pipe()
    try:
        script = SLOW.format(root=str(wire.ROOT))
        subprocess.run([sys.executable, "-X", "utf8", "-c", script], stderr=writer, check=True)
        shown = os.read(reader, 1 << 16).decode()
    finally:
        os.close(reader)
        os.close(writer)
    tag = container.image_tag(container.build_context())
    first, _, rest = shown.partition("\n")
    assert first.rstrip() == f"building image {tag} (the first time takes about a minute)"
    if terminal:
        assert re.search(r"\r\x1b\[Kbuilding image: 1 s Setting up ä\r\x1b\[K\r", rest)
        assert re.search(r"\r\x1b\[Kbuilding hives: 1 s\r\x1b\[K$", rest)
    else:
        assert rest == ""
