# SPDX-License-Identifier: Apache-2.0
"""Selection of engines, and errors if none works."""

import contextlib
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.engines import HIVES, clock, ignore, message, native
from helpers.support import StandIn, need

from generator.base import process
from generator.base.errors import GeneratorError
from generator.base.process import EngineError
from generator.builder import choose
from generator.builder import native as native_engine
from generator.builder.container import ContainerEngine

pytestmark = pytest.mark.usefixtures("plain")


@pytest.mark.parametrize("name", ["Docker", "", "bogus\n"])
def test_unknown_engine_is_refused(name: str) -> None:
    with pytest.raises(EngineError) as failure:
        choose.select(name, ignore)
    assert message(failure) == (
        f"--engine: unknown engine {name!r}; hint: use one of auto, docker, podman, native, builtin"
    )


def test_unknown_engine_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINSCRATCH_ENGINE", "lxc")
    with pytest.raises(EngineError, match=r"^WINSCRATCH_ENGINE: unknown engine 'lxc'; hint: use one of auto, "):
        choose.select(None, ignore)
    native()  # the option has priority


def test_environment_selects_the_engine_without_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = native()
    monkeypatch.setenv("WINSCRATCH_ENGINE", "native")
    assert choose.select(None, ignore) == expected


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "a", " 1", "1e3", "٣", "1000000"])
def test_invalid_timeout_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINSCRATCH_TIMEOUT", text)
    with pytest.raises(GeneratorError) as failure:
        choose.select("native", ignore)
    assert message(failure) == f"WINSCRATCH_TIMEOUT: invalid number {text!r}; hint: use whole seconds, 1 to 999999"


def test_timeout_limits_builds_and_runs(
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


def test_builtin_is_the_last_choice_and_no_witness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: Callable[[str, str], StandIn]
) -> None:
    stand_in("podman", PODMAN_WITHOUT_RIGHTS)
    (tmp_path / "stand-ins" / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(tmp_path / "stand-ins"))
    for attribute in ("executable", "DEBIAN_PYTHON"):
        monkeypatch.setattr(sys if attribute == "executable" else native_engine, attribute, "/no/python")
    said: list[str] = []
    assert choose.build_hives(choose.select(None, said.append), HIVES, said.append).keys() == HIVES.keys()
    assert said == ["engine: builtin (without hivex)", "building 2 hives"]
    with pytest.raises(EngineError) as failure:
        choose.select(None, ignore, witness=True)
    line = message(failure)
    assert line.startswith("--engine: no usable engine (docker: not found on PATH; podman: ")
    assert "error setting rlimit type 7: operation not permitted" in line
    assert line.endswith(
        "; hint: install or start docker, or set DOCKER_HOST, or install podman, or on Debian apt-get install "
        "python3-hivex"
    )


def test_builtin_is_refused_as_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    why = "builtin: cannot confirm its own hives; hint: use one of auto, docker, podman, native"
    with pytest.raises(EngineError) as failure:
        choose.select("builtin", ignore, witness=True)
    assert message(failure) == f"--engine {why}"
    monkeypatch.setenv("WINSCRATCH_ENGINE", "builtin")
    with pytest.raises(EngineError) as failure:
        choose.select(None, ignore, witness=True)
    assert message(failure) == f"WINSCRATCH_ENGINE {why}"


def test_docker_without_a_daemon_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(EngineError) as failure:
        choose.select("docker", ignore)
    line = message(failure)
    assert line.startswith("--engine: docker: no daemon answers (")
    assert f"{tmp_path}/no.sock" in line
    assert line.endswith("; hint: install or start docker, or set DOCKER_HOST, or use another engine")


def test_daemon_of_windows_containers_is_refused(stand_in: Callable[[str, str], StandIn]) -> None:
    stand_in("docker", "echo 29.1 windows")
    with pytest.raises(EngineError, match="docker: the daemon runs Windows containers, not Linux containers"):
        choose.select("docker", ignore)


def test_hanging_daemon_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: Callable[[str, str], StandIn]
) -> None:
    need("docker")
    stand_in("podman", "exit 1")
    native()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/silent.sock")
        silent.setblocking(False)
        taken: list[socket.socket] = []

        def hung() -> int:
            with contextlib.suppress(BlockingIOError):
                taken.append(silent.accept()[0])
            return bool(taken)

        monkeypatch.setattr(choose, "AUTO_SECONDS", process.AUTO_SECONDS)
        clock(monkeypatch, hung, process.AUTO_SECONDS + 1)
        assert choose.select("auto", ignore).name == "native"
        assert taken
        taken[0].close()
