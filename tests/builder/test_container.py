# SPDX-License-Identifier: Apache-2.0
"""Hives built in containers of a real docker daemon and a real podman."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.engines import (
    BASE,
    HIVES,
    NETWORK,
    SIGNALS,
    TOYS,
    clock,
    ignore,
    interrupted,
    is_running,
    message,
    native,
    toy_checkout,
)
from helpers.support import lack, need, wait_until

from generator.base import process
from generator.base.process import EngineError
from generator.builder import choose, container, wire
from generator.builder.container import ContainerEngine

pytestmark = pytest.mark.usefixtures("plain")


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session")
def docker_engine() -> ContainerEngine:
    """Docker, with the image of this checkout built."""
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
    """Podman, with this process's own limits, so that it works inside a container."""
    if shutil.which("podman") is None:
        pytest.skip("podman not found")
    settings = tmp_path / "containers.conf"
    settings.write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
    monkeypatch.setenv("CONTAINERS_CONF", str(settings))
    found = ContainerEngine("podman", ignore, base=BASE, network=NETWORK)
    try:
        found.probe_podman()
    except EngineError as error:
        pytest.skip(f"podman: {error}")  # also in CI: whether podman can run is up to the machine
    return found


@pytest.fixture
def toy(docker_engine: ContainerEngine, tmp_path: Path) -> Iterator[Callable[..., ContainerEngine]]:
    """Make docker engines with a toy hive builder; assert that their containers are removed."""
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
    """The base image, copied from docker's store or pulled."""
    base = podman_engine.base or "debian:trixie-slim"
    has = f"podman image inspect {base}"
    fetch = f"{has} || docker image save {base} | podman load && {has} || podman pull {base}"
    if subprocess.run(fetch, shell=True, capture_output=True, check=False).returncode:  # noqa: S602
        lack(f"podman has no image {base} and cannot fetch it")
    return base


def podman(*arguments: str) -> set[str]:
    """Return the lines of podman's output."""
    return set(subprocess.run(["podman", *arguments], capture_output=True, text=True, check=True).stdout.splitlines())


@pytest.mark.usefixtures("podman_base")
def test_podman_builds_its_image_and_the_same_hives(podman_engine: ContainerEngine) -> None:
    assert choose.build_hives(podman_engine, HIVES) == choose.build_hives(native(), HIVES)


def test_podman_leaves_nothing_of_its_probe(podman_engine: ContainerEngine) -> None:
    before = podman("images", "--all", "--quiet"), podman("ps", "--all", "--external", "--quiet")
    assert re.match(r"\d", podman_engine.probe_podman())
    assert (podman("images", "--all", "--quiet"), podman("ps", "--all", "--external", "--quiet")) == before


def test_signal_stops_podman_build(podman_base: str, tmp_path: Path) -> None:
    command = f"sleep infinity {int.from_bytes(os.urandom(4))}"  # sleep adds them up
    source = toy_checkout(tmp_path / "checkout", "", f"ARG BASE\nFROM ${{BASE}}\nRUN {command}\n")

    def building() -> bool:
        return any(is_running(process, command) for process in Path("/proc").glob("[0-9]*/cmdline"))

    before = podman("ps", "--all", "--external", "--quiet")
    made = f"ContainerEngine('podman', print, base={podman_base!r}, network='host', source=Path({str(source)!r}))"
    assert interrupted(made, signal.SIGINT, building) == -signal.SIGINT
    assert not building()
    assert podman("ps", "--all", "--external", "--quiet") == before


def test_container_has_no_privileges(toy: Callable[..., ContainerEngine]) -> None:
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
    assert failures == ["engine docker: the container was killed, most likely out of memory (its limit is 512m)"]

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


def test_unchanged_image_is_not_rebuilt(docker_engine: ContainerEngine) -> None:
    said: list[str] = []
    again = ContainerEngine("docker", said.append, base=docker_engine.base, network=docker_engine.network)
    tag = tag_of(again)
    before = docker("image", "inspect", "--format", "{{.Id}} {{.Metadata.LastTagTime}}", tag)
    choose.build_hives(again, HIVES, said.append)
    assert said == ["building 2 hives"]
    assert docker("image", "inspect", "--format", "{{.Id}} {{.Metadata.LastTagTime}}", tag) == before


def test_buildkit_builds_the_image(
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


def test_out_of_memory_in_a_container_is_reported(toy: Callable[..., ContainerEngine]) -> None:
    with pytest.raises(EngineError) as failure:
        toy(TOYS["eat memory"], memory="32m").run(b"")
    assert message(failure) == ("engine docker: the container was killed, most likely out of memory (its limit is 32m)")


def test_container_is_removed_after_its_time_limit(
    toy: Callable[..., ContainerEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = toy(TOYS["sleep"], run_seconds=1)
    seen: list[str] = []

    def hung() -> int:
        seen.extend([] if seen else containers(tag_of(slow)))
        return len(seen)

    clock(monkeypatch, hung)
    with pytest.raises(EngineError) as failure:
        slow.run(b"")
    assert message(failure) == "docker run did not end within 1 s; hint: set WINSCRATCH_TIMEOUT to wait longer"
    assert containers(tag_of(slow)) == []


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        (
            # Docker loses output of a command that ends at once.
            "ARG BASE\nFROM ${BASE}\nRUN apt-get install no-such-package || (sleep 1; exit 100)\n",
            "E: Unable to locate package no-such-package",
        ),
        ("ARG BASE\nFROM ${BASE}\nRUN echo one >&2; exit 3\n", "3"),
        ("ARG BASE\nFROM ${BASE}\nCOPY no-such-file /\n", "no-such-file"),
        ("FROM :\n", "invalid reference format"),
        ("FRAM\n", "[Ff][Rr][Aa][Mm]"),
    ],
)
def test_failed_image_build_is_reported_by_its_error_line(
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


def test_base_image_without_a_shell_is_reported(docker_engine: ContainerEngine) -> None:
    with pytest.raises(EngineError, match=r"^engine docker: the image cannot be built: ."):
        ContainerEngine("docker", ignore, base="scratch", network=docker_engine.network).run(b"")


@pytest.mark.parametrize(("number", "status"), SIGNALS.items())
def test_signal_stops_the_container(toy: Callable[..., ContainerEngine], number: int, status: int) -> None:
    slow = toy(TOYS["sleep"])
    where = f"base={slow.base!r}, network={slow.network!r}, source=Path({str(slow.source)!r})"
    made = f"ContainerEngine('docker', print, {where})"
    assert interrupted(made, number, lambda: containers(tag_of(slow))) == status
    assert containers(tag_of(slow)) == []


def test_signal_stops_the_image_build(
    docker_engine: ContainerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = f"sleep infinity # {os.urandom(8).hex()}"
    base = docker_engine.base or "debian:trixie-slim"
    source = toy_checkout(tmp_path / "checkout", "", f"ARG BASE\nFROM ${{BASE}}\nRUN {token}\n")

    def building() -> bool:
        return token in docker("ps", "--all", "--no-trunc", "--format", "{{.Command}}")

    made = f"ContainerEngine('docker', print, base={base!r}, source=Path({str(source)!r}))"
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")  # BuildKit's containers cannot be listed
    assert interrupted(made, signal.SIGINT, building) == -signal.SIGINT
    wait_until(lambda: not building())


def checkout_copy(folder: Path) -> Path:
    shutil.copytree(wire.ROOT / wire.BUILDER, folder / wire.BUILDER)
    shutil.copy(wire.ROOT / container.DOCKERFILE, folder)
    return folder


def test_tag_is_a_hash_of_the_image_inputs(tmp_path: Path) -> None:
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


def test_missing_dockerfile_is_reported(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"/Dockerfile\.hivex: No such file or directory; hint: restore it"):
        container.build_context(tmp_path)
